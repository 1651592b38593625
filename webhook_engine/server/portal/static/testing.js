// The tab Testing: choose an event type, send its example, and watch what becomes of it.

import { to } from "./address.js";
import { api, app, eventually, get } from "./api.js";
import { attemptLine } from "./attempts.js";
import { eventTypes, exampleOf } from "./event_types.js";
import { fill, h, reconcile } from "./dom.js";
import { pretty } from "./format.js";
import { t } from "./language.js";
import { may, session } from "./session.js";
import { button, card, codeBox, empty, field, loading, repeatedly, select, stateBadge, stateOf, when } from "./ui.js";

const PING = { name: "webhook.ping", description: t("Only to see whether requests arrive."), schemas: { 1: { examples: [{ success: true }] } } };
const LOOK_MS = 600;
const MAX_SHOWN = 10;

export function testingTab(endpoint, signal) {
  const content = h("div", { class: "columns even" }, loading());
  eventually(() => eventTypes(session().token), signal).then(
    (types) => signal.aborted || fill(content, tester(endpoint, [...types.filter(({ archived }) => !archived), PING], signal)),
    (error) => error.name === "AbortError" || fill(content, h("p", { class: "problem" }, error.message)),
  );
  return content;
}

function tester(endpoint, types, signal) {
  const type = h("select", { class: "input" }, types.map(({ name }) => h("option", { value: name }, name)));
  const example = h("div", { class: "stack-small" });
  const problem = h("p", { class: "problem", role: "alert" });
  const send = button(t("Send example"), () => submit(), { kind: "main", glyph: "play" });
  const sent = [];
  const results = h("ul", { class: "list" });
  const hint = may("CreateAttempts")
    ? t("Choose an event type and send its example: it goes to this endpoint alone, whatever it listens for.")
    : t("Your access allows looking, not sending.");
  const none = empty("play", t("Nothing sent yet"), hint);

  function show() {
    const chosen = types.find(({ name }) => name === type.value);
    const value = exampleOf(chosen);
    problem.textContent = "";
    fill(
      example,
      chosen?.description && h("p", { class: "soft small" }, chosen.description),
      value === undefined
        ? h("p", { class: "soft small" }, t("There is no example of this event type to show before it is sent."))
        : codeBox(t("Example"), pretty(value), { json: true }),
    );
  }

  async function submit() {
    problem.textContent = "";
    try {
      const message = await api("POST", app("endpoint", endpoint, "send-example"), { body: { eventType: type.value }, signal });
      sent.unshift({ ...message, state: 1, attempts: [] });
      sent.length = Math.min(sent.length, MAX_SHOWN);
      draw();
      look();
      shown.scrollIntoView({ block: "nearest", behavior: "smooth" });
    } catch (error) {
      if (error.name !== "AbortError") problem.textContent = error.message;
    }
  }

  const look = repeatedly(
    async () => {
      for (const message of sent) {
        if (message.done) continue;
        const [destinations, attempts] = await Promise.all([
          get(app("msg", message.id, "endpoint"), {}, signal),
          get(app("attempt", "msg", message.id), { endpoint_id: endpoint, expanded_statuses: true, with_failure: true, with_number: true }, signal),
        ]);
        const mine = destinations.data.find(({ id }) => id === endpoint);
        if (!mine) continue;
        message.state = stateOf(mine);
        message.waitingFor = mine.waitingFor;
        message.attempts = attempts.data;
        message.done = ![1, 3].includes(message.state) && message.attempts.length > 0;
      }
      draw();
    },
    LOOK_MS,
    signal,
  );

  function draw() {
    none.hidden = sent.length > 0;
    reconcile(results, sent, ({ id }) => id, result, ({ state, waitingFor, attempts }) => JSON.stringify([state, waitingFor, attempts]));
  }

  function result(message) {
    return h(
      "li",
      {},
      h(
        "div",
        { class: "card-head" },
        h("a", { class: "code", href: to(`/messages/${message.id}`) }, message.eventType),
        h("div", { class: "row-end" }, stateBadge(message.state), when(message.timestamp)),
      ),
      h("div", {}, message.attempts.map((attempt, place) => attemptLine(attempt, signal, { open: place === 0, others: () => message.attempts }))),
      !message.attempts.length && h("p", { class: "soft small card-body" }, message.waitingFor === "rate_limit" ? t("Waiting for the rate limit…") : t("On its way…")),
    );
  }

  type.addEventListener("change", show);
  show();
  draw();
  const form = h("div", { class: "stack-small" }, field(t("Event type"), type), may("CreateAttempts") && h("div", { class: "row" }, send), problem, example);
  const shown = h("section", { class: "card", "aria-label": t("What was sent"), role: "region", "aria-live": "polite" }, h("div", { class: "card-head over" }, h("h2", {}, t("Results"))), none, results);
  if (!may("CreateAttempts")) return [card(t("Examples"), form, { note: t("What events look like.") }), shown];
  return [card(t("Send an example"), form, { note: t("See how your server handles an event before real ones arrive.") }), shown];
}
