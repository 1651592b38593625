// One message: what was sent, to whom, and what came of it.

import { to } from "./address.js";
import { all, api, app, eventually, get, text } from "./api.js";
import { attemptLine } from "./attempts.js";
import { fill, h, reconcile } from "./dom.js";
import { fullTime, indented, memberText } from "./format.js";
import { may } from "./session.js";
import { backLink, breakable, button, card, codeBox, empty, loading, repeatedly, stateBadge, stateOf, tags, toast, when } from "./ui.js";

const PENDING_MS = 700;
const SETTLED_MS = 2_000;
const MAX_ATTEMPTS = 250;

/** "#/messages/{id}" */
export function messagePage(page, signal, id) {
  const content = h("div", { class: "stack" }, loading());
  const title = h("h1", {}, "Message");
  fill(
    page,
    backLink(to("/messages")),
    h("div", { class: "head" }, h("div", {}, title, h("p", { class: "faint" }, id))),
    content,
  );
  eventually(() => text("GET", app("msg", id), { signal }), signal).then(
    (answer) => {
      const message = JSON.parse(answer);
      title.textContent = message.eventType;
      document.title = `${message.eventType} · Webhooks`;
      fill(
        content,
        h("div", { class: "columns even" }, deliveries(message, signal), h("div", { class: "stack" }, payload(answer, message), facts(message))),
      );
    },
    (error) => error.name === "AbortError" || fill(content, empty("warning", "This message cannot be shown", error.message, h("a", { class: "button", href: to("/messages") }, "All messages"))),
  );
}

function payload(answer, message) {
  if (message.payload?.expired === true && Object.keys(message.payload).length === 1) {
    return card("Payload", h("p", { class: "soft" }, "The payload is not kept any more; it cannot be sent again either."));
  }
  return codeBox("Payload", indented(memberText(answer, "payload") ?? ""), { json: true });
}

function facts(message) {
  const known = [
    ["Created", fullTime(message.timestamp)],
    ["Message id", h("code", {}, message.id)],
    ["Event id", message.eventId && h("code", {}, message.eventId)],
    ["Channels", message.channels?.length && tags(message.channels)],
    ["Tags", message.tags?.length && tags(message.tags)],
    ["Held back until", message.deliverAt && fullTime(message.deliverAt)],
  ];
  return card(
    "Details",
    h("dl", { class: "facts" }, known.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
  );
}

function deliveries(message, signal) {
  const list = h("div", { class: "stack" });
  const none = empty("inbox", "Sent to no endpoint", "No endpoint was listening for this kind of event when it was created.");
  const section = h("section", { "aria-label": "Deliveries", class: "stack" }, none, list);
  const cards = new Map();
  none.hidden = true;
  let pending = true;
  const look = async () => {
    const [destinations, attempts] = await Promise.all([
      all(app("msg", message.id, "endpoint"), {}, signal),
      get(app("attempt", "msg", message.id), { limit: MAX_ATTEMPTS, expanded_statuses: true }, signal),
    ]);
    none.hidden = destinations.length > 0;
    pending = destinations.some((each) => [1, 3].includes(stateOf(each)));
    for (const destination of destinations) {
      if (!cards.has(destination.id)) {
        const made = deliveryCard(message, signal, () => refresh());
        cards.set(destination.id, made);
        list.append(made.element);
      }
      cards.get(destination.id).show(destination, attempts.data.filter(({ endpointId }) => endpointId === destination.id));
    }
  };
  let last = 0;
  const refresh = repeatedly(
    async () => {
      if (!pending && Date.now() - last < SETTLED_MS) return;
      last = Date.now();
      await look();
    },
    PENDING_MS,
    signal,
  );
  return section;
}

function deliveryCard(message, signal, refresh) {
  const head = h("div", { class: "card-head over" });
  const list = h("div", {});
  const element = h("section", { class: "card" }, head, list);
  const again = button("Resend", () => resend(), { glyph: "again" });
  let endpoint;
  let seen;

  async function resend() {
    await api("POST", app("msg", message.id, "endpoint", endpoint, "resend"), { signal });
    toast("Sent again");
    refresh();
  }

  function show(destination, attempts) {
    endpoint = destination.id;
    const state = stateOf(destination);
    const now = JSON.stringify([state, destination.nextAttempt, destination.url]);
    if (now !== seen) {
      seen = now;
      fill(
        head,
        h("h2", {}, h("a", { class: "code", href: to(`/endpoints/${destination.id}`) }, breakable(destination.url))),
        h("div", { class: "row-end" }, stateBadge(state), may("CreateAttempts") && again),
        destination.nextAttempt && h("p", {}, "Next attempt ", when(destination.nextAttempt, ""), ` · ${fullTime(destination.nextAttempt)}`),
      );
    }
    if (!attempts.length) return void fill(list, h("p", { class: "soft small card-body" }, "Not attempted yet."));
    if (list.known === undefined) fill(list);
    reconcile(list, attempts, ({ id }) => id, (attempt) => attemptLine(attempt, signal));
    return undefined;
  }

  return { element, show };
}
