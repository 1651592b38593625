// The transformation and authentication of an endpoint's requests: edited and tested in the tab Settings.

import { api, app, eventually, get } from "./api.js";
import { tokenCause } from "./causes.js";
import { fill, h } from "./dom.js";
import { t } from "./language.js";
import { may } from "./session.js";
import { mark } from "./unsaved.js";
import { button, busy, card, codeBox, field, input, toast } from "./ui.js";

const BEGINNING = "function handler(webhook) {\n  return webhook;\n}\n";
const EXAMPLE = '{\n  "id": 1\n}';

/** The consumer's own script; nothing if the platform does not allow scripts. */
export function scriptCard(endpoint, signal) {
  const element = h("div", {});
  if (!may("ManageTransformations")) return element;
  const path = app("endpoint", endpoint.id, "transformation");
  const read = async () => {
    const { scripts } = await get(app("transformations"), {}, signal);
    if (scripts) fill(element, editor(path, await get(path, {}, signal), signal));
  };
  eventually(read, signal).catch(() => {});
  return element;
}

function editor(path, script, signal) {
  const code = h("textarea", { class: "input code", rows: "10", spellcheck: "false", value: script.code ?? BEGINNING });
  const used = h("input", { type: "checkbox", id: "use-script", checked: script.enabled });
  const type = input({ class: "input code", value: "invoice.paid" });
  const payload = h("textarea", { class: "input code", rows: "4", spellcheck: "false", value: EXAMPLE });
  const about = field(t("Script"), code, { hint: t("It declares handler(webhook) and returns the webhook, with another payload, url, method or headers, or with cancel: true.") });
  const example = field(t("Example payload"), payload);
  const result = h("div", { class: "stack-small", role: "status" });
  const keep = button(t("Save script"), undefined, { submit: true });

  async function save() {
    about.complain();
    try {
      await api("PATCH", path, { body: { code: code.value, enabled: used.checked }, signal });
      mark(form, false);
      toast(t("The script is saved; it applies from the next attempt"));
    } catch (error) {
      about.complain(error.message);
      code.focus();
    }
  }

  async function simulate() {
    example.complain();
    about.complain();
    try {
      JSON.parse(payload.value);
    } catch {
      example.complain(t("Enter an example in JSON."));
      return void payload.focus();
    }
    try {
      // Numbers and strings stay exactly as typed.
      const json = `{"code": ${JSON.stringify(code.value)}, "eventType": ${JSON.stringify(type.value)}, "payload": ${payload.value}}`;
      fill(result, shown(await api("POST", `${path}/simulate`, { json, signal })));
    } catch (error) {
      about.complain(error.message);
    }
    return undefined;
  }

  const form = h(
    "form",
    { class: "form", on: { submit: (event) => (event.preventDefault(), busy(keep, save())), input: (event) => (event.target === code || event.target === used) && mark(form, true) } },
    about,
    h("div", { class: "row" }, used, h("label", { for: "use-script" }, t("Use this script"))),
    h("div", { class: "row" }, keep),
    h("div", { class: "pair" }, field(t("Event type"), type), example),
    h("div", { class: "row" }, button(t("Try the script"), simulate, {})),
    result,
  );
  return card(t("Your own script"), form, { note: t("JavaScript that changes each request to this endpoint before it is signed. To try it sends nothing.") });
}

const NO_WEBHOOK = /no webhook|^(payload|url|method|headers|cancel|webhook)\b/;

/** Why a script has no valid result; the script's own error message is unchanged. */
function scriptWords(problem) {
  const [, own] = /the script failed: (.*)$/s.exec(problem) ?? [];
  if (/too long/.test(problem)) return t("The script took too long.");
  if (/could not be started/.test(problem)) return t("The script could not be tried now; try again in a moment.");
  if (own) return t("The script failed: {problem}", { problem: own });
  return NO_WEBHOOK.test(problem) ? t("What the script returns cannot be sent: it must be the webhook, with a payload, a URL, a method and headers that can be sent.") : t("The script failed: {problem}", { problem });
}

function shown(trial) {
  const logs = trial.logs.length > 0 && codeBox(t("Console"), trial.logs.join("\n"), {});
  if (trial.problem) return [h("p", { class: "problem" }, scriptWords(trial.problem)), logs];
  if (trial.cancelled) return [h("p", {}, t("It cancels the delivery: nothing would be sent.")), logs];
  const headers = Object.entries(trial.headers).map(([name, value]) => `${name}: ${value}\n`);
  return [codeBox(t("What would be sent"), `${trial.method} ${trial.url}\n${headers.join("")}\n${trial.payload}`, {}), logs];
}

/** A button that tests the authentication; nothing if there is none. */
export function authenticationCard(endpoint, signal) {
  if (!(endpoint.authentication || endpoint.tls) || !may("CreateAttempts")) return undefined;
  const result = h("p", { role: "status" });
  const attempt = async () => {
    const trial = await api("POST", app("endpoint", endpoint.id, "authentication", "try"), { body: {}, signal });
    result.className = trial.problem ? "problem" : "soft";
    const { what, todo } = trial.problem ? tokenCause(trial.problem) : { what: t("An example is on its way; its attempt shows what the receiver said."), todo: "" };
    fill(result, what, " ", todo, " ", trial.messageId && h("a", { href: `#/messages/${trial.messageId}` }, trial.messageId));
  };
  const kinds = [endpoint.authentication?.type, endpoint.tls && "TLS"].filter(Boolean).join(", ");
  return card(t("Authentication"), h("div", { class: "stack-small" }, h("p", {}, h("code", {}, kinds)), h("div", { class: "row" }, button(t("Try authentication"), attempt, {})), result), {
    note: t("Asks for an access token, where one is needed, and sends an example."),
  });
}
