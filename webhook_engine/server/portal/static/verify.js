// How to verify signatures, with the endpoint's own secret.

import { eventually } from "./api.js";
import { fill, h } from "./dom.js";
import { span } from "./format.js";
import { t } from "./language.js";
import { deliveryRules } from "./rules.js";
import { may } from "./session.js";
import { button, card, codeBox, loading, tabs } from "./ui.js";
import { readSecret } from "./secret.js";

const PLACEHOLDER = "whsec_…";

const mistakes = (timeoutMs) => [
  [t("The body was parsed first."), t("The signature is over the exact bytes. Verify the raw body before any framework turns it into JSON and back.")],
  [t("The secret is another one."), t("Each endpoint has its own; the one of a test endpoint does not fit the real one. Copy all of it, with its prefix whsec_.")],
  [t("The answer is not a success."), t("Answer with a status from 200 to 299. Anything else, redirects included, counts as a failure and is tried again.")],
  [t("The answer comes too late."), t("An answer that takes longer than {span} counts as a failure. Queue the event first, and do the work afterwards.", { span: span(timeoutMs) })],
];

const quoted = (text) => JSON.stringify(text);
const shellQuoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function python(secret, prefix) {
  return `import base64, hashlib, hmac, time

SECRET = ${quoted(secret)}

def verify(body: bytes, headers) -> None:
    """Raise ValueError unless this request is authentic. body: the raw bytes, before any parsing."""
    message_id, timestamp = headers["${prefix}-id"], headers["${prefix}-timestamp"]
    if abs(time.time() - int(timestamp)) > 300:
        raise ValueError("too old, or a clock is wrong")
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [part.partition(",")[2] for part in headers["${prefix}-signature"].split() if part.startswith("v1,")]
    if not any(hmac.compare_digest(wanted, each) for each in given):
        raise ValueError("the signature does not fit")`;
}

function javascript(secret, prefix) {
  return `import { createHmac, timingSafeEqual } from "node:crypto";

const SECRET = ${quoted(secret)};

// Throws unless this request is authentic. body: a Buffer of the raw bytes, before any parsing.
export function verify(body, headers) {
  const id = headers["${prefix}-id"];
  const timestamp = headers["${prefix}-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300)) throw new Error("too old, or a clock is wrong");
  const key = Buffer.from(SECRET.replace("whsec_", ""), "base64");
  const wanted = createHmac("sha256", key).update(\`\${id}.\${timestamp}.\`).update(body).digest();
  const fits = headers["${prefix}-signature"].split(" ").some((part) => {
    const [version, value = ""] = part.split(",");
    const given = Buffer.from(value, "base64");
    return version === "v1" && given.length === wanted.length && timingSafeEqual(given, wanted);
  });
  if (!fits) throw new Error("the signature does not fit");
}`;
}

function curl(secret, prefix, endpoint) {
  return `# Send yourself a signed request, as we would.
SECRET=${shellQuoted(secret)}
BODY='{"test": true}'
ID="msg_test"
TIMESTAMP=$(date +%s)
KEY=$(printf '%s' "\${SECRET#whsec_}" | base64 -d | od -An -vtx1 | tr -d ' \\n')
SIGNATURE=$(printf '%s' "$ID.$TIMESTAMP.$BODY" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | base64)
curl -i ${shellQuoted(endpoint.url)} \\
  -H "content-type: application/json" \\
  -H "${prefix}-id: $ID" \\
  -H "${prefix}-timestamp: $TIMESTAMP" \\
  -H "${prefix}-signature: v1,$SIGNATURE" \\
  --data-binary "$BODY"`;
}

function publicKeyPython(key, prefix) {
  return `# pip install cryptography
import base64, time
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PUBLIC_KEY = ${quoted(key)}

def verify(body: bytes, headers) -> None:
    """Raise an exception unless this request is authentic. body: the raw bytes, before any parsing."""
    message_id, timestamp = headers["${prefix}-id"], headers["${prefix}-timestamp"]
    if abs(time.time() - int(timestamp)) > 300:
        raise ValueError("too old, or a clock is wrong")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(PUBLIC_KEY.removeprefix("whpk_")))
    signed = f"{message_id}.{timestamp}.".encode() + body
    given = [part.partition(",")[2] for part in headers["${prefix}-signature"].split() if part.startswith("v1a,")]
    key.verify(base64.b64decode(given[0]), signed)`;
}

/** The tab; it waits for the rules of delivery, since code and advice depend on them. */
export function verifyTab(endpoint, signal) {
  const content = h("div", {}, loading());
  eventually(deliveryRules, signal).then(
    (rules) => signal.aborted || fill(content, advice(endpoint, rules, signal)),
    (error) => error.name === "AbortError" || fill(content, h("p", { class: "problem" }, error.message)),
  );
  return content;
}

function advice(endpoint, { timeoutMs, signatureHeaders }, signal) {
  const prefix = signatureHeaders[0];
  const code = h("div", {});
  let secret = PLACEHOLDER;
  let language = "python";

  function draw() {
    const samples = secret.startsWith("whpk_")
      ? [["python", "Python", () => codeBox("Python", publicKeyPython(secret, prefix), { lines: true })]]
      : [
          ["python", "Python", () => codeBox("Python", python(secret, prefix), { lines: true })],
          ["javascript", "JavaScript", () => codeBox("JavaScript", javascript(secret, prefix), { lines: true })],
          ["curl", "curl", () => codeBox("curl", curl(secret, prefix, endpoint), { lines: true })],
        ];
    fill(code, tabs(samples, language, (key) => (language = key)));
  }

  async function fillIn() {
    secret = await readSecret(endpoint.id, signal);
    draw();
    put.remove();
  }

  const put = button(t("Put my secret into the code"), fillIn, { size: "tiny", glyph: "eye" });
  draw();
  return h(
    "div",
    { class: "stack" },
    card(t("Verify what you receive"), code, {
      actions: may("ViewEndpointSecret") && put,
      note: t("Anybody can send requests to a URL. The signature proves that one comes from us and was not changed."),
    }),
    card(
      t("If it does not work"),
      h("ol", { class: "steps" }, mistakes(timeoutMs).map(([title, words]) => h("li", {}, h("div", {}, h("h3", {}, title), h("p", { class: "soft" }, words))))),
    ),
  );
}
