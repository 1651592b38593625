// The order of an endpoint's messages, its batches, and its circuit breaker: settings and state.

import { to } from "./address.js";
import { api, app, get } from "./api.js";
import { h, reconcile } from "./dom.js";
import { plainDuration, seconds } from "./durations.js";
import { fullTime } from "./format.js";
import { t } from "./language.js";
import { may } from "./session.js";
import { button, busy, card, confirm, field, input, notice, repeatedly, select, toast, when } from "./ui.js";
import { mark } from "./unsaved.js";

const LOOK_MS = 3_000;
const SHOWN = 20;
const MOST = 1_000;
const LONGEST_WAIT_S = 300;
const HELD_UP = ["retrying", "stopped"];

/** A notice that the whole endpoint is paused, if it is. */
export function pausedNotice({ pausedUntil }) {
  if (!pausedUntil || new Date(pausedUntil) <= Date.now()) return undefined;
  return notice(
    "wait",
    "warning",
    t("Deliveries to this endpoint are paused"),
    h("p", { class: "small" }, t("Too many attempts failed. Paused until {time}; then one message is tried, and the others follow when it succeeds.", { time: fullTime(pausedUntil) })),
  );
}

/** Where the orders are blocked, and how to continue; nothing for an endpoint without ordered delivery. */
export function orderCard(endpoint, signal) {
  if (!endpoint.ordering) return undefined;
  const list = h("ul", { class: "list boxed" });
  const none = h("p", { class: "soft small", role: "status" }, t("Nothing is held up."));
  list.hidden = true;

  const skip = async (one) => {
    const text = t("The messages behind it are sent without it. It can still be sent again by hand.");
    if (!(await confirm(t("Skip this message?"), text, t("Skip")))) return;
    await api("POST", app("endpoint", endpoint.id, "msg", one.messageId, "skip"));
    toast(t("The order goes on"));
    await look();
  };

  async function look() {
    const { data } = await get(app("endpoint", endpoint.id, "order"), { limit: SHOWN }, signal);
    const held = data.filter(({ state }) => HELD_UP.includes(state));
    none.hidden = held.length > 0;
    list.hidden = !none.hidden;
    reconcile(list, held, ({ orderingKey }) => orderingKey ?? "", (one) =>
      h(
        "li",
        { class: "item item-two" },
        h(
          "div",
          {},
          h("a", { href: to(`/messages/${one.messageId}`) }, h("code", {}, one.orderingKey ?? one.messageId)),
          h("p", { class: "item-note whole" }, one.state === "stopped" ? t("Stopped: all attempts failed. Messages that wait: {count}.", { count: waiting(one) }) : [t("Tried again; messages that wait: {count}.", { count: waiting(one) }), " ", when(one.nextAttempt, "")]),
        ),
        may("CreateAttempts") && button(t("Skip"), () => skip(one), { size: "tiny", kind: "plain", name: t("Skip message {id}", { id: one.messageId }) }),
      ),
    );
  }

  repeatedly(look, LOOK_MS, signal);
  return card(t("Order"), h("div", { class: "stack" }, none, list), { note: t("Messages are sent one at a time, in the order in which they were accepted.") });
}

const waiting = (one) => (one.waiting < MOST ? String(one.waiting) : `${MOST}+`);

const ASKED = ["ordering", "orderingOnExhausted", "batchSize", "batchWait", "circuitBreaker"];

/** A text of these settings, which changes with any of them. */
export function orderAsked(endpoint) {
  return JSON.stringify(ASKED.map((name) => endpoint[name] ?? null));
}

/** The settings; `changed(endpoint)` gets the endpoint after a change. */
export function orderSettings(endpoint, signal, changed) {
  const disabled = !may("ManageEndpoint");
  const ordering = select([["", t("Side by side")], ["fifo", t("One at a time, in order")]], { value: endpoint.ordering ?? "", disabled });
  const exhausted = select([["", t("Go on with the next one")], ["stop", t("Stop until somebody acts")]], { value: endpoint.orderingOnExhausted === "stop" ? "stop" : "", disabled });
  const size = input({ type: "number", min: "1", max: String(MOST), inputmode: "numeric", value: endpoint.batchSize ?? "", disabled });
  const wait = input({ type: "number", min: "0", max: String(LONGEST_WAIT_S), inputmode: "numeric", value: seconds(endpoint.batchWait), disabled });
  const breaker = select([["", t("As the platform has it")], ["true", t("Yes")], ["false", t("No")]], { value: endpoint.circuitBreaker === undefined ? "" : String(endpoint.circuitBreaker), disabled });
  const sizes = field(t("Messages in one request"), size, { optional: true, hint: t("As a JSON array, at most so many.") });
  const waits = field(t("Seconds to wait for more"), wait, { optional: true });
  const more = h("div", { class: "form" }, field(t("When all attempts of a message failed"), exhausted), h("div", { class: "pair" }, sizes, waits));
  const save = button(t("Save"), undefined, { submit: true, disabled });
  const show = () => (more.hidden = !ordering.value);
  let before = endpoint;

  async function submit() {
    sizes.complain();
    waits.complain();
    const ordered = ordering.value !== "";
    const count = Number(size.value);
    const wrongSize = size.validity.badInput || (size.value ? !(Number.isInteger(count) && count >= 1 && count <= MOST) : wait.value !== "");
    const wrongWait = wait.validity.badInput || Number(wait.value) < 0 || Number(wait.value) > LONGEST_WAIT_S;
    if (ordered && wrongSize) sizes.complain(t("Enter a whole number from 1 to 1000."));
    if (ordered && wrongWait) waits.complain(t("Enter seconds from 0 to 300, or nothing."));
    const wrong = form.querySelector("[aria-invalid=true]");
    if (wrong) return void wrong.focus();
    const asked = {
      ordering: ordering.value || null,
      orderingOnExhausted: (ordered && exhausted.value) || null,
      batchSize: ordered && size.value ? count : null,
      batchWait: ordered && wait.value ? plainDuration(`${Number(wait.value)}s`) : null,
      circuitBreaker: breaker.value ? breaker.value === "true" : null,
    };
    // Keep settings that were changed elsewhere, unless they were changed here, too.
    const body = Object.fromEntries(Object.entries(asked).filter(([name, value]) => value !== (before[name] ?? null)));
    if (!Object.keys(body).length) return void toast(t("There is nothing to save"));
    before = await api("PATCH", app("endpoint", endpoint.id), { body, signal });
    changed(before);
    mark(form, false);
    return void toast(t("Saved; it applies from the next attempt"));
  }

  const form = h(
    "form",
    { class: "form", novalidate: true, on: { submit: (event) => (event.preventDefault(), busy(save, submit())), input: () => (show(), mark(form, true)) } },
    field(t("How messages are sent"), ordering),
    more,
    field(t("Wait as a whole when too many attempts fail"), breaker),
    !disabled && h("div", { class: "row" }, save),
  );
  show();
  return card(t("Order and pauses"), form);
}
