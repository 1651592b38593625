// Lists of messages with their states: of the application, and of one endpoint.

import { app, get } from "./api.js";
import { eventTypes } from "./event_types.js";
import { fill, h, reconcile } from "./dom.js";
import { plural } from "./format.js";
import { session } from "./session.js";
import { button, empty, field, input, loading, repeatedly, select, stateBadge, stateOf, when } from "./ui.js";

const PER_PAGE = 25;
const STATES = [
  ["", "Any"],
  ["0", "Succeeded"],
  ["1", "Pending"],
  ["2", "Failed"],
];
const DAY_MS = 86_400_000;

/** "#/messages" */
export function messagesPage(page, signal) {
  fill(
    page,
    h("div", { class: "head" }, h("div", {}, h("h1", {}, "Messages"), h("p", {}, "Every event that was created for you, newest first."))),
    messageList(signal, (query) => get(app("message-state"), query, signal), "Events will show up here as soon as there are any."),
  );
}

/** The messages of one endpoint, as a card with a title. */
export function endpointMessages(endpoint, signal) {
  const read = async (query) => {
    if (query.status !== "1") return get(app("endpoint", endpoint, "msg"), query, signal);
    // What waits for its first attempt and what waits for another one are told apart there, and not here.
    const pages = await Promise.all(
      ["1", "3"].map((status) => get(app("endpoint", endpoint, "msg"), { ...query, status }, signal)),
    );
    const data = pages.flatMap((each) => each.data).sort((a, b) => (a.id < b.id ? 1 : -1));
    const cut = data.slice(0, query.limit);
    return { data: cut, iterator: cut.at(-1)?.id, done: cut.length === data.length && pages.every(({ done }) => done) };
  };
  return messageList(signal, read, "Nothing was sent to this endpoint yet. Try it out on the tab Testing.", "Messages");
}

function messageList(signal, read, hint, title) {
  const list = h("ul", { class: "list" });
  const wait = loading();
  const none = empty("inbox", "No messages", hint);
  const problem = h("p", { class: "problem card-body", role: "alert", hidden: true });
  const state = select(STATES);
  const type = select([["", "Any"]]);
  const from = input({ type: "date" });
  const to = input({ type: "date" });
  const older = button("Older", () => (back.push(iterator), (iterator = next), refresh()), {});
  const newer = button("Newer", () => ((iterator = back.pop()), refresh()), {});
  const pager = h("nav", { class: "pager", "aria-label": "Pages" }, newer, older);
  const filters = h(
    "form",
    { class: "filters", "aria-label": "Filters", on: { submit: (event) => event.preventDefault() } },
    field("State", state),
    field("Event type", type),
    field("From", from),
    field("To", to),
  );
  const back = [];
  let iterator;
  let next;
  let turn = 0;
  none.hidden = true;

  for (const control of [state, type, from, to]) {
    control.addEventListener("change", () => {
      iterator = undefined;
      back.length = 0;
      refresh();
    });
  }
  eventTypes(signal, session().token).then(
    (types) => type.append(...types.map(({ name }) => h("option", { value: name, label: name }))),
    () => {},
  );

  const refresh = repeatedly(
    async () => {
      turn += 1;
      const mine = turn;
      try {
        const page = await read(query());
        if (mine !== turn) return;
        show(page);
        problem.hidden = true;
      } catch (error) {
        if (error.name !== "AbortError") {
          problem.textContent = error.message;
          problem.hidden = false;
        }
        throw error;
      } finally {
        wait.hidden = true;
      }
    },
    1_500,
    signal,
  );

  function query() {
    const after = from.value && new Date(`${from.value}T00:00`).toISOString();
    // With an end, a list that has a beginning goes from the newest down, too.
    const end = to.value ? new Date(new Date(`${to.value}T00:00`).getTime() + DAY_MS) : after && new Date(Date.now() + DAY_MS / 24);
    return {
      limit: PER_PAGE,
      iterator,
      with_content: false,
      expanded_statuses: true,
      status: state.value,
      event_types: type.value,
      after,
      before: end ? end.toISOString() : undefined,
    };
  }

  function show({ data, iterator: last, done }) {
    next = last;
    const filtered = [state, type, from, to].some(({ value }) => value);
    none.hidden = data.length > 0;
    none.querySelector("p:last-child").textContent = filtered ? "No message fits these filters." : hint;
    older.disabled = done || !last;
    newer.disabled = !back.length;
    pager.hidden = older.disabled && newer.disabled;
    reconcile(list, data, ({ id }) => id, row);
  }

  return h(
    "section",
    { class: "card last", "aria-label": "List of messages" },
    title && h("div", { class: "card-head" }, h("h2", {}, title)),
    filters,
    wait,
    problem,
    none,
    list,
    pager,
  );
}

function row(message) {
  const several = (message.succeeded ?? 0) + (message.pending ?? 0) + (message.failed ?? 0) > 1;
  return h(
    "li",
    { class: "item item-message" },
    h(
      "div",
      {},
      h("a", { class: "item-link code", href: `#/messages/${message.id}` }, message.eventType),
      h("p", { class: "item-note" }, [message.eventId, message.id, several && spread(message)].filter(Boolean).join(" · ")),
    ),
    stateBadge(stateOf(message)),
    when(message.timestamp, "item-when"),
  );
}

function spread({ succeeded, pending, failed }) {
  return plural(succeeded + pending + failed, "endpoint", "endpoints");
}
