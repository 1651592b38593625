// The payload of a message: as text, and as a file.

import { app, get } from "./api.js";
import { h } from "./dom.js";
import { t } from "./language.js";
import { button, card, codeBox } from "./ui.js";

/** The payload byte for byte: the signature covers these bytes, not equivalent JSON. */
export const readPayload = (message, signal) => get(app("msg", message, "payload"), {}, signal);

/** The name of the file for downloading a payload. */
export function fileOf(message, { payload, encoding }) {
  const json = encoding !== "base64" && /^\s*[[{"]/.test(payload);
  return `${message}.${json ? "json" : encoding === "base64" ? "bin" : "txt"}`;
}

function bytesOf({ payload, encoding }) {
  return encoding === "base64" ? Uint8Array.from(atob(payload), (character) => character.charCodeAt(0)) : payload;
}

function download(message, sent) {
  const url = URL.createObjectURL(new Blob([bytesOf(sent)], { type: "application/octet-stream" }));
  const link = h("a", { href: url, download: fileOf(message, sent) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function payloadBox(message, sent, title = t("Payload")) {
  if (sent.payload === null) return card(title, h("p", { class: "soft" }, t("The payload is not kept any more; it cannot be sent again either.")));
  const save = button("", () => download(message, sent), { kind: "plain icon", glyph: "download", name: t("Download payload") });
  if (sent.encoding === "base64") return codeBox(t("{title} (base64, since it is no text)", { title }), sent.payload, { more: save });
  return codeBox(title, sent.payload, { json: true, exact: true, more: save });
}
