// The inbox's response: status and delay apply at once, the rest is in a form.

import { fill, h, icon } from "../../portal/static/dom.js";
import { t } from "../../portal/static/language.js";
import { busy, button, card, field, input, select, toast } from "../../portal/static/ui.js";
import { call } from "./client.js";

const STATUSES = [
  [200, "200 OK"],
  [204, "204 No Content"],
  [301, "301 Moved Permanently"],
  [400, "400 Bad Request"],
  [401, "401 Unauthorized"],
  [404, "404 Not Found"],
  [410, "410 Gone"],
  [429, "429 Too Many Requests"],
  [500, "500 Internal Server Error"],
  [503, "503 Service Unavailable"],
];
const DELAYS = [
  [0, t("None")],
  [1_000, t("{n} seconds", { n: 1 })],
  [5_000, t("{n} seconds", { n: 5 })],
  [20_000, t("{n} seconds", { n: 20 })],
  [30_000, t("{n} seconds", { n: 30 })],
];
const MAX_DELAY_S = 30;
const MAX_FAILURES = 100;
const MAX_BODY = 65_536;
const MAX_HEADERS = 20;
const HEADER = /^(content-type|retry-after|(x|webhook|ratelimit)-[a-z0-9-]{1,60})$/i;

/**
 * The card. `meanwhile(inbox)` updates it from the inbox, `now()` reads the inbox, `saved(inbox)` is called after a
 * change.
 */
export function answerCard(path, inbox, { now, saved }) {
  const status = h("div", {});
  const delay = h("div", {});
  const left = h("p", { class: "small", role: "status" });
  const further = h("div", {});
  let shown;

  // Someone else may have changed the response meanwhile, so only the member chosen here is sent.
  async function save(chosen) {
    const known = answerOf(await now());
    const inbox = await call("PUT", path, { ...known, ...chosen });
    saved(inbox);
    show(inbox);
    toast(t("Play now answers {status}", { status: String(inbox.status) }));
  }

  const told = (promise) => promise.catch((error) => toast(error.message, "bad"));

  function quick(choices, name, value, text) {
    const known = choices.some(([each]) => each === value) ? choices : [...choices, [value, text]];
    const choice = select(known, { value });
    choice.addEventListener("change", () => told(save({ [name]: Number(choice.value) })));
    return choice;
  }

  function show(inbox) {
    fill(left, inbox.failuresLeft > 0 && t("{n} requests are answered with {status} first.", { n: inbox.failuresLeft, status: String(inbox.failStatus) }));
    const text = JSON.stringify({ ...answerOf(inbox), failuresLeft: 0 });
    if (text === shown || further.querySelector("form[data-typed]")) return;
    shown = text;
    fill(status, field(t("Status"), quick(STATUSES, "status", inbox.status, String(inbox.status))));
    fill(delay, field(t("Delay"), quick(DELAYS, "delayMs", inbox.delayMs, `${inbox.delayMs} ms`)));
    const open = further.querySelector("details")?.open ?? false;
    fill(further, h("details", { class: "fold", open }, h("summary", {}, icon("right", 14), t("Headers, body and failures")), furtherForm(inbox, save)));
  }

  show(inbox);
  const element = card(t("Answer"), h("div", { class: "stack-small" }, status, delay, left, further), { note: t("Choose what senders get, to see how failures are handled.") });
  element.meanwhile = show;
  return element;
}

function answerOf({ status, delayMs, headers, body, failStatus, failuresLeft }) {
  return { status, delayMs, headers, body, failStatus, failuresLeft };
}

function furtherForm(inbox, save) {
  const status = input({ type: "number", min: "200", max: "599", inputmode: "numeric", value: inbox.status });
  const delay = input({ type: "number", min: "0", max: String(MAX_DELAY_S), step: "0.1", inputmode: "decimal", value: inbox.delayMs / 1_000 });
  const times = input({ type: "number", min: "0", max: String(MAX_FAILURES), inputmode: "numeric", value: inbox.failuresLeft });
  const failing = input({ type: "number", min: "200", max: "599", inputmode: "numeric", value: inbox.failStatus });
  const headers = h("textarea", { class: "input code", rows: "3", spellcheck: "false", value: inbox.headers.map(([name, value]) => `${name}: ${value}`).join("\n") });
  const body = h("textarea", { class: "input code", rows: "4", spellcheck: "false", value: inbox.body ?? "" });
  const fields = {
    status: field(t("Response code"), status),
    delayMs: field(t("Wait, in seconds"), delay),
    failuresLeft: field(t("Fail first, so many times"), times),
    failStatus: field(t("Answering meanwhile"), failing),
    headers: field(t("Answer headers"), headers, { hint: t("One a line, like Retry-After: 10. Content-Type, Retry-After, and those that begin with X-, Webhook- or RateLimit-.") }),
    body: field(t("Answer body"), body, { hint: t("Nothing: a few words of Play’s own.") }),
  };
  const submit = button(t("Save response"), undefined, { submit: true });

  /** The typed values; undefined if one is invalid, which its field then shows. */
  function typed() {
    for (const each of Object.values(fields)) each.complain();
    const whole = (control, low, high) => control.value !== "" && Number.isInteger(Number(control.value)) && Number(control.value) >= low && Number(control.value) <= high;
    const anyStatus = t("Enter a whole number from 200 to 599.");
    if (!whole(status, 200, 599)) fields.status.complain(anyStatus);
    if (!whole(failing, 200, 599)) fields.failStatus.complain(anyStatus);
    if (!whole(times, 0, MAX_FAILURES)) fields.failuresLeft.complain(t("Enter a whole number from 0 to 100."));
    if (delay.value === "" || !(Number(delay.value) >= 0 && Number(delay.value) <= MAX_DELAY_S)) fields.delayMs.complain(t("Enter a number from 0 to 30."));
    const lines = headers.value.split("\n").map((line) => line.trim()).filter(Boolean);
    const pairs = lines.map((line) => [line.slice(0, Math.max(0, line.indexOf(":"))).trim(), line.slice(line.indexOf(":") + 1).trim()]);
    const wrong = lines.find((_, place) => !HEADER.test(pairs[place][0]));
    if (wrong !== undefined) fields.headers.complain(t("This is not a header that Play can send: {line}", { line: wrong }));
    else if (pairs.length > MAX_HEADERS) fields.headers.complain(t("There can be at most {n} headers.", { n: MAX_HEADERS }));
    if (new TextEncoder().encode(body.value).length > MAX_BODY) fields.body.complain(t("This is too large."));
    if (form.querySelector("[aria-invalid=true]")) return undefined;
    return {
      status: Number(status.value),
      delayMs: Math.round(Number(delay.value) * 1_000),
      failuresLeft: Number(times.value),
      failStatus: Number(failing.value),
      headers: pairs,
      body: body.value === "" ? null : body.value,
    };
  }

  async function run() {
    const wanted = typed();
    if (!wanted) return void form.querySelector("[aria-invalid=true]").focus();
    const before = form.dataset.typed;
    delete form.dataset.typed;
    try {
      await save(wanted);
    } catch (error) {
      if (before !== undefined) form.dataset.typed = before;
      if (error.status !== 422) throw error;
      fields.headers.complain(t("One of these headers cannot be sent: its name or its value is not allowed."));
      headers.focus();
    }
    return undefined;
  }

  const form = h(
    "form",
    {
      class: "stack-small",
      novalidate: true,
      on: { submit: (event) => (event.preventDefault(), busy(submit, run())), input: () => (form.dataset.typed = "") },
    },
    h("div", { class: "pair" }, fields.status, fields.delayMs),
    h("div", { class: "pair" }, fields.failuresLeft, fields.failStatus),
    fields.headers,
    fields.body,
    h("div", { class: "row" }, submit),
  );
  return form;
}
