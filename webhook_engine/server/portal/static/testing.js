// The tab Testing: select an event type, send its example or another payload, and watch the results.

import { to } from "./address.js";
import { api, app, eventually, get } from "./api.js";
import { attemptLine } from "./attempts.js";
import { eventTypes, exampleOf } from "./event_types.js";
import { fill, h, icon, reconcile } from "./dom.js";
import { pretty } from "./format.js";
import { t } from "./language.js";
import { may, session } from "./session.js";
import { lineOfMistake } from "./mistake.js";
import { forgetExample, keepExample, ownExamples } from "./own_examples.js";
import { breakable, button, card, codeBox, empty, field, input, loading, repeatedly, select, stateBadge, stateOf, toast, when } from "./ui.js";

const PING = { name: "webhook.ping", description: t("Only to see whether requests arrive."), schemas: { 1: { examples: [{ success: true }] } } };
const LOOK_MS = 600;
const MAX_SHOWN = 10;
const PATIENT_LOOKS = 5;

export function testingTab(endpoint, signal) {
  const content = h("div", { class: "columns even" }, loading());
  eventually(() => eventTypes(session().token), signal).then(
    (types) => signal.aborted || fill(content, tester(endpoint, [...types.filter(({ archived }) => !archived), PING], signal)),
    (error) => error.name === "AbortError" || fill(content, h("p", { class: "problem" }, error.message)),
  );
  return content;
}

function tester(endpoint, types, signal) {
  let edited;
  const type = h("select", { class: "input" }, types.map(({ name }) => h("option", { value: name }, name)));
  const example = h("div", { class: "stack-small" });
  const problem = h("p", { class: "problem", role: "alert" });
  const target = select([["one", t("This endpoint alone")], ["all", t("All endpoints that would get it")]]);
  const send = button(t("Send example"), () => submit(), { kind: "main", glyph: "play" });
  const sent = [];
  const results = h("ul", { class: "list" });
  const hint = may("CreateAttempts")
    ? t("Choose an event type and send its example: it goes to this endpoint alone, whatever it listens for.")
    : t("Your access allows looking, not sending.");
  const none = empty("play", t("Nothing sent yet"), hint);

  /** Show the event type's example, or the user's own one with this name. */
  function show(name = "") {
    const chosen = types.find(({ name: each }) => each === type.value);
    const own = may("CreateAttempts") ? ownExamples(type.value) : [];
    const mine = own.find((each) => each.name === name);
    const value = exampleOf(chosen);
    edited = undefined;
    problem.textContent = "";
    const which = select([["", t("The one of the catalogue")], ...own.map((each) => [each.name, each.name])], { value: mine?.name ?? "" });
    which.addEventListener("change", () => show(which.value));
    fill(
      example,
      chosen?.description && h("p", { class: "soft small" }, chosen.description),
      own.length > 0 && field(t("Which example"), which),
      mine && editor(mine.text, mine.name),
      !mine && (value === undefined ? h("p", { class: "soft small" }, t("There is no example of this event type to show before it is sent.")) : codeBox(t("Example"), pretty(value), { json: true })),
      !mine && may("CreateAttempts") && h("div", { class: "row" }, button(t("Edit payload"), () => edit(value === undefined ? "{\n}" : pretty(value)), { size: "tiny" })),
    );
  }

  function edit(text) {
    fill(example, editor(text, ""));
    example.querySelector("textarea").focus();
  }

  /** An editor for a payload, which can be stored under a name. */
  function editor(text, name) {
    const area = h("textarea", { class: "input code", rows: "12", spellcheck: "false", value: text });
    const label = input({ value: name, maxlength: "60" });
    edited = field(t("Payload"), area, { hint: t("JSON. It is signed and sent like a real event.") });
    edited.text = () => area.value;
    const named = field(t("Name of the example"), label);
    const forget = async () => {
      forgetExample(type.value, name);
      toast(t("The example is forgotten"));
      show();
      type.focus();
    };
    const keep = () => {
      named.complain();
      if (!label.value.trim()) {
        named.complain(t("Enter a name, by which you will know it."));
        return void label.focus();
      }
      if (!checked()) return;
      const kept = keepExample(type.value, label.value.trim(), area.value);
      toast(kept ? t("Kept in this browser") : t("It could not be kept: it is too large, or this browser keeps nothing here."), kept ? "" : "bad");
      if (kept) show(label.value.trim());
    };
    return h(
      "div",
      { class: "stack-small" },
      edited,
      h("div", { class: "row" }, !name && button(t("Back to the example"), () => (show(), type.focus()), { size: "tiny" })),
      h(
        "details",
        { class: "fold", open: Boolean(name) },
        h("summary", {}, icon("right", 14), t("Keep this example for later")),
        h("div", { class: "stack-small" }, named, h("div", { class: "row" }, button(t("Keep"), keep, { size: "tiny" }), name && button(t("Forget this example"), forget, { size: "tiny", kind: "danger" }))),
      ),
    );
  }

  /** Whether the input is a JSON object. */
  function checked() {
    edited.complain();
    const text = edited.text();
    const line = lineOfMistake(text);
    if (line === undefined && text.trim().startsWith("{")) return true;
    if (line !== undefined) edited.complain(t("This is not JSON: look at line {line}.", { line: String(line) }));
    else edited.complain(t("The payload must be a JSON object, in braces."));
    edited.querySelector("textarea").focus();
    return false;
  }

  async function submit() {
    problem.textContent = "";
    if (edited && !checked()) return;
    const toAll = target.value === "all";
    try {
      const path = toAll ? app("send-example") : app("endpoint", endpoint, "send-example");
      // Numbers and strings stay exactly as typed.
      const json = `{"eventType": ${JSON.stringify(type.value)}${edited ? `, "payload": ${edited.text().trim()}` : ""}}`;
      const message = await api("POST", path, { json, signal });
      sent.unshift({ ...message, toAll, state: 1, attempts: [], destinations: [] });
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
          get(app("attempt", "msg", message.id), { endpoint_id: message.toAll ? undefined : endpoint, expanded_statuses: true, with_failure: true, with_number: true }, signal),
        ]);
        if (message.toAll) {
          message.destinations = destinations.data;
          message.looked = (message.looked ?? 0) + 1;
          const states = destinations.data.map(stateOf);
          message.state = states.find((state) => [1, 3].includes(state)) ?? states.find((state) => state === 2) ?? states[0];
          message.done = states.length ? !states.some((state) => [1, 3].includes(state)) : message.looked >= PATIENT_LOOKS;
          continue;
        }
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
    reconcile(results, sent, ({ id }) => id, result, ({ state, waitingFor, attempts, destinations, done }) => JSON.stringify([state, waitingFor, attempts, destinations, done]));
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
      message.toAll && everywhere(message),
      h("div", {}, message.attempts.map((attempt, place) => attemptLine(attempt, signal, { open: place === 0, others: () => message.attempts }))),
      !message.toAll && !message.attempts.length && h("p", { class: "soft small card-body" }, message.waitingFor === "rate_limit" ? t("Waiting for the rate limit…") : t("On its way…")),
    );
  }

  /** The result at each endpoint. */
  function everywhere({ destinations, done }) {
    if (!destinations.length) return h("p", { class: "soft small card-body" }, done ? t("No endpoint listens for this event type.") : t("On its way…"));
    return h(
      "ul",
      { class: "list" },
      destinations.map((each) => h("li", { class: "item item-two" }, h("a", { class: "code two-lines", href: to(`/endpoints/${each.id}`) }, breakable(each.url)), stateBadge(stateOf(each)))),
    );
  }

  type.addEventListener("change", () => show());
  show();
  draw();
  const form = h("div", { class: "stack-small" }, field(t("Event type"), type), may("CreateAttempts") && field(t("Send to"), target), may("CreateAttempts") && h("div", { class: "row" }, send), problem, example);
  const shown = h("section", { class: "card", "aria-label": t("What was sent"), role: "region", "aria-live": "polite" }, h("div", { class: "card-head over" }, h("h2", {}, t("Results"))), none, results);
  if (!may("CreateAttempts")) return [card(t("Examples"), form, { note: t("What events look like.") }), shown];
  return [card(t("Send an example"), form, { note: t("See how your server handles an event before real ones arrive.") }), shown];
}
