// One message: its payload, its endpoints, and the results.

import { to } from "./address.js";
import { all, api, app, eventually, get } from "./api.js";
import { attemptLine } from "./attempts.js";
import { payloadBox, readPayload } from "./payload.js";
import { fill, h, reconcile } from "./dom.js";
import { fullTime } from "./format.js";
import { pieces, t } from "./language.js";
import { may } from "./session.js";
import { titled } from "./titles.js";
import { unsentCard } from "./unsent.js";
import { backLink, breakable, button, card, countdown, empty, loading, repeatedly, stateBadge, stateOf, tags, toast } from "./ui.js";

const PENDING_MS = 700;
const SETTLED_MS = 2_000;
const MAX_ENDPOINTS = 10_000;
const MAX_ATTEMPTS = 1_000;
const AT_ONCE = 4;

/** "#/messages/{id}" */
export function messagePage(page, signal, id, attempt) {
  const content = h("div", { class: "stack" }, loading());
  const title = h("h1", {}, t("Message"));
  fill(
    page,
    backLink(to("/messages")),
    h("div", { class: "head" }, h("div", {}, title, h("p", { class: "faint" }, id))),
    content,
  );
  const read = async () => Promise.all([get(app("msg", id), { with_content: false }, signal), readPayload(id, signal)]);
  eventually(read, signal).then(
    ([message, sent]) => {
      fill(title, message.eventType);
      document.title = titled(message.eventType);
      fill(content, h("div", { class: "columns even" }, deliveries(message, signal, attempt), h("div", { class: "stack" }, payloadBox(id, sent), facts(message), unsentCard(message, signal))));
    },
    (error) => error.name === "AbortError" || fill(content, empty("warning", t("This message cannot be shown"), error.message, h("a", { class: "button", href: to("/messages") }, t("All messages")))),
  );
}

function facts(message) {
  const known = [
    [t("Created"), fullTime(message.timestamp)],
    [t("Message id"), h("code", {}, message.id)],
    [t("Event id"), message.eventId && h("code", {}, message.eventId)],
    [t("Channels"), message.channels?.length && tags(message.channels)],
    [t("Tags"), message.tags?.length && tags(message.tags)],
    [t("Held back until"), message.deliverAt && fullTime(message.deliverAt)],
  ];
  return card(
    t("Details"),
    h("dl", { class: "facts" }, known.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
  );
}

function deliveries(message, signal, wanted) {
  const list = h("div", { class: "stack" });
  const none = empty("inbox", t("Sent to no endpoint"), t("No endpoint was listening for this kind of event when it was created."));
  const section = h("section", { "aria-label": t("Deliveries"), class: "stack" }, none, list);
  const cards = new Map();
  const inView = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inView.add(target.dataset.id);
      else inView.delete(target.dataset.id);
    }
  });
  signal.addEventListener("abort", () => watch.disconnect());
  none.hidden = true;
  let pending = true;
  const look = async () => {
    const destinations = await all(app("msg", message.id, "endpoint"), {}, signal, MAX_ENDPOINTS);
    none.hidden = destinations.length > 0;
    pending = destinations.some((each) => [1, 3].includes(stateOf(each)));
    for (const destination of destinations) {
      if (!cards.has(destination.id)) {
        const made = deliveryCard(message, destination.id, signal, () => refresh(), wanted);
        cards.set(destination.id, made);
        watch.observe(made.element);
        list.append(made.element);
      }
      cards.get(destination.id).show(destination);
    }
    // For each delivery fetch all attempts, visible ones first.
    const stale = [...cards].filter(([, each]) => each.stale()).sort(([one], [other]) => inView.has(other) - inView.has(one));
    const work = async () => {
      for (let next = stale.shift(); next; next = stale.shift()) await next[1].readAttempts();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  };
  const refresh = repeatedly(look, () => (pending ? PENDING_MS : SETTLED_MS), signal);
  return section;
}

function deliveryCard(message, endpoint, signal, refresh, wanted) {
  const head = h("div", { class: "card-head over" });
  const list = h("div", {}, h("p", { class: "soft small card-body" }, t("Loading…")));
  const element = h("section", { class: "card", "data-id": endpoint }, head, list);
  const again = button(t("Resend"), () => resend(), { glyph: "again" });
  let seen;
  let made;
  let read;
  let latest = [];

  async function resend() {
    await api("POST", app("msg", message.id, "endpoint", endpoint, "resend"), { signal });
    toast(t("Sent again"));
    refresh();
  }

  function show(destination) {
    const state = stateOf(destination);
    made = destination.attemptCount;
    const now = JSON.stringify([state, destination.nextAttempt, destination.waitingFor, destination.url]);
    if (now === seen) return;
    seen = now;
    fill(
      head,
      h("h2", {}, h("a", { class: "code", href: to(`/endpoints/${destination.id}`) }, breakable(destination.url))),
      h("div", { class: "row-end" }, stateBadge(state), may("CreateAttempts") && again),
      destination.nextAttempt && h("p", {}, upcoming(destination)),
    );
  }

  /** Whether there are attempts that are not shown yet. */
  const stale = () => made !== read;

  async function readAttempts() {
    const count = made;
    const query = { endpoint_id: endpoint, expanded_statuses: true, with_failure: true, with_number: true };
    const attempts = count ? await all(app("attempt", "msg", message.id), query, signal, MAX_ATTEMPTS) : [];
    read = count;
    if (!attempts.length) {
      fill(list, h("p", { class: "soft small card-body" }, t("Not attempted yet.")));
      return;
    }
    if (list.known === undefined) fill(list);
    latest = attempts;
    reconcile(list, attempts, ({ id }) => id, (attempt) => attemptLine(attempt, signal, { open: attempt.id === wanted, others: () => latest }));
    if (attempts.some(({ id }) => id === wanted)) {
      document.getElementById(wanted).scrollIntoView({ block: "center" });
      wanted = undefined;
    }
  }

  return { element, show, stale, readAttempts };
}

/** What the next attempt waits for. */
function upcoming({ nextAttempt, waitingFor }) {
  if (waitingFor === "rate_limit") return t("Waiting for the rate limit.");
  if (waitingFor === "turn") return t("The next attempt is due now.");
  return [pieces("Next attempt {when}", { when: countdown(nextAttempt) }), ` · ${fullTime(nextAttempt)}`];
}
