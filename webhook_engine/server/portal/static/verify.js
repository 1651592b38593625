// How to verify signatures with the endpoint's own secret, and why a request does not verify.

import { api, app, eventually } from "./api.js";
import { fill, h } from "./dom.js";
import { milliseconds } from "./durations.js";
import { fromNow, span } from "./format.js";
import { t } from "./language.js";
import { deliveryRules } from "./rules.js";
import { FRAMEWORKS, samples } from "./samples.js";
import { readSecret } from "./secret.js";
import { may } from "./session.js";
import { busy, button, card, codeBox, field, loading, notice, tabs } from "./ui.js";

const PLACEHOLDER = "whsec_…";

const mistakes = (timeoutMs) => [
  [t("The body was parsed first."), t("The signature is over the exact bytes. Verify the raw body before any framework turns it into JSON and back.")],
  [t("The secret is another one."), t("Each endpoint has its own; the one of a test endpoint does not fit the real one. Copy all of it, with its prefix whsec_.")],
  [t("The response is not a success."), t("Answer with a status from 200 to 299. Anything else, redirects included, counts as a failure and is tried again.")],
  [t("The response comes too late."), t("A response that takes longer than {span} counts as a failure. Queue the event first, and do the work afterwards.", { span: span(timeoutMs) })],
];

/** The findings about a request: [whether it is good, title, what to do]. */
const FINDINGS = {
  verified: () => [true, t("This request verifies"), t("Its signature fits this endpoint's secret. If your code refuses it: it sees another body than this one, has another secret, or its clock is wrong.")],
  missing_header: ({ header }) => [false, t("The header {header} is missing", { header }), t("A proxy or firewall may have removed it, or it was not copied.")],
  bad_timestamp: () => [false, t("The timestamp is no number"), t("It must arrive exactly as it was sent.")],
  old_secret: () => [false, t("It is signed with the secret of before the rotation"), t("Put the new secret of this endpoint into your code.")],
  other_endpoint: ({ endpointUrl }) => [false, t("It was signed for another endpoint"), t("Use the secret of {url}; each endpoint has its own.", { url: endpointUrl })],
  body_reformatted: () => [false, t("The body was parsed and written anew"), t("It says the same, but not in the same bytes. Verify the raw body, before your framework parses it.")],
  body_trimmed: () => [false, t("Blanks or line breaks around the body were added or lost"), t("Verify the raw body exactly as it arrives; a copy from a log or an editor may have one line break more.")],
  body_changed: () => [false, t("The body is not what was sent"), t("Compare it with the payload of this message; something on the way changed it.")],
  signature_changed: () => [false, t("One of the headers is not what was sent"), t("The body is right. Id, timestamp and signature must arrive exactly as they were sent; they belong to one attempt.")],
  unknown: () => [false, t("This request is not known here"), t("There is no such message, and the signature fits no endpoint of yours: it was not sent by us, or for another account.")],
};

/** The tab; it waits for the delivery settings, since code and advice depend on them. */
export function verifyTab(endpoint, signal) {
  const content = h("div", {}, loading());
  eventually(deliveryRules, signal).then(
    (rules) => signal.aborted || fill(content, advice(endpoint, rules, signal)),
    (error) => error.name === "AbortError" || fill(content, h("p", { class: "problem" }, error.message)),
  );
  return content;
}

const boxes = (pairs, kept, keep) => tabs(pairs.map(([name, text]) => [name, name, () => codeBox(name, text, { lines: true })]), kept, keep);

function advice(endpoint, { timeoutMs, signatureHeaders }, signal) {
  const code = h("div", {});
  let secret = PLACEHOLDER;
  let language = "Python";

  function draw() {
    fill(code, boxes(samples(secret, signatureHeaders[0], endpoint), language, (name) => (language = name)));
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
    card(t("The raw body in your framework"), h("div", {}, boxes(FRAMEWORKS, "Express", () => {})), { note: t("Most signatures fail because a framework has parsed the body already.") }),
    may("ViewEndpointSecret") && diagnosis(endpoint, signal),
    card(
      t("If it does not work"),
      h("ol", { class: "steps" }, mistakes(milliseconds(endpoint.timeout) ?? timeoutMs).map(([title, words]) => h("li", {}, h("div", {}, h("h3", {}, title), h("p", { class: "soft" }, words))))),
    ),
  );
}

/** Paste a request, and get told what is wrong with it. */
function diagnosis(endpoint, signal) {
  const headers = h("textarea", { class: "input code", rows: "5", spellcheck: "false", autocomplete: "off", placeholder: "webhook-id: msg_…\nwebhook-timestamp: …\nwebhook-signature: v1,…" });
  const body = h("textarea", { class: "input code", rows: "5", spellcheck: "false", autocomplete: "off" });
  const result = h("div", { role: "status" });
  const find = button(t("Find out why"), undefined, { submit: true });
  async function submit() {
    const found = await api("POST", app("endpoint", endpoint.id, "diagnose"), { body: { headers: headers.value, body: body.value }, signal });
    const [good, title, words] = FINDINGS[found.finding](found);
    const signed = found.ageSeconds === null ? "" : ` ${t("It was signed {when}.", { when: fromNow(new Date(Date.now() - found.ageSeconds * 1_000).toISOString()) })}`;
    fill(result, notice(good ? "good" : "bad", good ? "check" : "cross", title, h("p", {}, `${words}${signed}`)));
  }
  const form = h(
    "form",
    { class: "form", on: { submit: (event) => (event.preventDefault(), void busy(find, submit())) } },
    field(t("Headers"), headers, { hint: t("As you have them, from a log, the developer tools or a command line.") }),
    field(t("Body"), body, { hint: t("Exactly as it arrived.") }),
    h("div", { class: "row" }, find),
    result,
  );
  return card(t("A request did not verify?"), form, { note: t("Paste it, and be told why.") });
}
