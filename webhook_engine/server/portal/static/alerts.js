// Alerts: who is notified when an endpoint fails, is disabled, recovers or falls behind.

import { to } from "./address.js";
import { api, app, get } from "./api.js";
import { fill, h, reconcile } from "./dom.js";
import { t } from "./language.js";
import { may } from "./session.js";
import { backLink, breakable, busy, button, confirm, empty, field, input, loading, repeatedly, select, toast } from "./ui.js";

const EVERY_MS = 10_000;
const EVENTS = [
  ["endpoint.failing", t("An endpoint has failed for a while")],
  ["endpoint.disabled", t("An endpoint was disabled")],
  ["endpoint.recovered", t("An endpoint takes messages again")],
  ["endpoint.backlog", t("An endpoint does not keep up")],
  ["message.attempt.exhausted", t("A message could not be delivered")],
];
const KINDS = [["email", t("E-mail")], ["slack", "Slack"], ["discord", "Discord"], ["teams", "Microsoft Teams"], ["webhook", "Webhook"]];
const NAMES = Object.fromEntries(KINDS);
const SAID = Object.fromEntries(EVENTS);
const USUAL = 4;

/** "#/alerts" */
export function alertsPage(page, signal) {
  const list = h("ul", { class: "list" });
  const wait = loading();
  const none = empty("inbox", t("No alerts"), t("Nobody is told of what happens to your endpoints; only this page shows it."));
  none.hidden = true;
  fill(
    page,
    backLink(to("/endpoints"), t("Endpoints")),
    h("div", { class: "head" }, h("div", {}, h("h1", {}, t("Alerts")), h("p", {}, t("Who is told when an endpoint fails, is disabled, recovers or falls behind.")))),
    h("section", { class: "card", "aria-label": t("List") }, wait, none, list),
    may("ManageEndpoint") && newAlert(signal, () => refresh()),
  );
  const refresh = repeatedly(
    async () => {
      const { data } = await get(app("alert"), {}, signal);
      wait.hidden = true;
      none.hidden = data.length > 0;
      reconcile(list, data, ({ id }) => id, (alert) => row(alert, () => refresh()));
    },
    EVERY_MS,
    signal,
  );
}

function row(alert, changed) {
  const state = alert.active
    ? h("span", { class: "state good" }, t("Active"))
    : h("span", { class: "state wait" }, alert.kind === "email" ? t("Not confirmed yet") : t("Disabled"));
  const test = button(t("Send a test"), () => busy(test, tried(alert)), { size: "tiny", name: t("Send a test to {to}", { to: alert.to }) });
  const away = button(t("Delete"), () => removed(alert, changed), { size: "tiny", kind: "plain", name: t("Delete the alert to {to}", { to: alert.to }) });
  return h(
    "li",
    { class: "item item-alert" },
    h(
      "div",
      {},
      h("div", { class: "row" }, h("p", { class: "item-name" }, breakable(alert.to)), state),
      h("p", { class: "item-note whole" }, [NAMES[alert.kind] ?? alert.kind, ...alert.events.map((event) => SAID[event] ?? event)].join(" · ")),
    ),
    may("ManageEndpoint") && h("div", { class: "row" }, test, away),
  );
}

async function tried(alert) {
  try {
    await api("POST", app("alert", alert.id, "test"));
    toast(t("A test is on its way to {to}.", { to: alert.to }));
  } catch (error) {
    toast(error.message, "bad");
  }
}

async function removed(alert, changed) {
  if (!(await confirm(t("Delete this alert?"), t("{to} is told nothing more.", { to: alert.to }), t("Delete"), "danger"))) return;
  try {
    await api("DELETE", app("alert", alert.id));
    changed();
  } catch (error) {
    toast(error.message, "bad");
  }
}

function newAlert(signal, made) {
  const kind = select(KINDS);
  const address = input({ class: "input code" });
  const checks = EVENTS.map(([event, words], place) => [event, words, h("input", { type: "checkbox", checked: place < USUAL })]);
  const wrapped = { kind: field(t("How"), kind), to: field(t("To"), address, { hint: t("An e-mail address, or the URL of the webhook.") }) };
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const submit = button(t("Add alert"), undefined, { submit: true, kind: "main", glyph: "plus" });

  async function add() {
    for (const each of Object.values(wrapped)) each.complain();
    problem.hidden = true;
    const events = checks.filter(([, , check]) => check.checked).map(([event]) => event);
    if (!address.value.trim()) return void wrapped.to.complain(t("Say who is to be told."));
    try {
      const alert = await api("POST", app("alert"), { body: { kind: kind.value, to: address.value.trim(), events }, signal });
      address.value = "";
      toast(alert.active ? t("{to} is told from now on.", { to: alert.to }) : t("{to} was asked to confirm this; look into that mailbox.", { to: alert.to }));
      made();
    } catch (error) {
      const mail = kind.value === "email";
      if (error.status === 422) wrapped.to.complain(mail ? t("This is no e-mail address, or e-mail is not set up here.") : t("This URL cannot be used."));
      else fill(problem, error.message).hidden = false;
    }
  }

  const events = h(
    "fieldset",
    { class: "field" },
    h("legend", { class: "label" }, t("When")),
    checks.map(([, words, check]) => h("label", { class: "row" }, check, words)),
  );
  const submitted = (event) => (event.preventDefault(), busy(submit, add()));
  return h(
    "section",
    { class: "card narrow new-one", "aria-label": t("New alert") },
    h("form", { class: "card-body stack-small", novalidate: true, on: { submit: submitted } }, wrapped.kind, wrapped.to, events, problem, h("div", { class: "row" }, submit)),
  );
}
