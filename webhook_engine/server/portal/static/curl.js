// A request as a curl command.

const MAX_INLINE = 100_000;
const PLAIN = /^'([A-Z]+)'$/;

export const shellQuoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * The request of an attempt as a shell command, with the body that was sent; a large body is read from the downloaded
 * file.
 */
export function curlOf({ url, requestHeaders, method = "POST" }, sent, file) {
  const { payload, encoding } = sent;
  const lines = [`curl -i -X ${shellQuoted(method).replace(PLAIN, "$1")} ${shellQuoted(url)}`, ...requestHeaders.map(({ name, value }) => `-H ${shellQuoted(`${name}: ${value}`)}`)];
  if (payload === null) return lines.join(" \\\n  ");
  if (payload.length > MAX_INLINE) return [...lines, `--data-binary ${shellQuoted(`@${file}`)}`].join(" \\\n  ");
  if (encoding === "base64") return `printf '%s' ${shellQuoted(payload)} | base64 -d | ${[...lines, "--data-binary @-"].join(" \\\n  ")}`;
  return [...lines, `--data-binary ${shellQuoted(payload)}`].join(" \\\n  ");
}
