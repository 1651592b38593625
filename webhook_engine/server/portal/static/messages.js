// Lists of messages with their states: of the application, and of one endpoint.

import { to } from "./address.js";
import { app, eventually, get } from "./api.js";
import { eventTypes } from "./event_types.js";
import { fill, h, reconcile } from "./dom.js";
import { midnight } from "./format.js";
import { t } from "./language.js";
import { may, session } from "./session.js";
import { button, empty, field, input, loading, repeatedly, select, stateBadge, stateOf, when } from "./ui.js";

const PER_PAGE = 25;
const STATES = [
  ["", t("Any")],
  ["0", t("Succeeded")],
  ["1", t("Pending")],
  ["2", t("Failed")],
];
const HOUR_MS = 3_600_000;
const MAX_LOOKS = 20;

/** "#/messages" */
export function messagesPage(page, signal) {
  fill(
    page,
    h("div", { class: "head" }, h("div", {}, h("h1", {}, t("Messages")), h("p", {}, t("Every event that was created for you, newest first.")))),
    messageList(signal, (query) => get(app("message-state"), query, signal), t("Events will show up here as soon as there are any.")),
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
  return messageList(signal, read, may("CreateAttempts") ? t("Nothing was sent to this endpoint yet. Try it out on the tab Testing.") : t("Nothing was sent to this endpoint yet."), t("Messages"));
}

function messageList(signal, read, hint, title) {
  const list = h("ul", { class: "list" });
  const wait = loading();
  const none = empty("inbox", t("No messages"), hint);
  const deeper = h("p", { class: "soft small card-body", role: "status", hidden: true }, t("Looking further back…"));
  const problem = h("p", { class: "problem card-body", role: "alert", hidden: true });
  const state = select(STATES);
  const type = select([["", t("Any")]]);
  const from = input({ type: "date" });
  const to = input({ type: "date" });
  const older = button(t("Older"), () => (back.push(iterator), turnTo(next)), {});
  const newer = button(t("Newer"), () => turnTo(back.pop()), {});
  const clear = button(t("Clear filters"), () => reset(), { kind: "plain", glyph: "cross" });
  const pager = h("nav", { class: "pager", "aria-label": t("Pages") }, newer, older);
  const filters = h(
    "form",
    { class: "filters", "aria-label": t("Filters"), on: { submit: (event) => event.preventDefault() } },
    field(t("State"), state),
    field(t("Event type"), type),
    field(t("From"), from),
    field("To", to),
    clear,
  );
  // The place in the list is kept with the entry of the history: it is there again after a reload and a step back.
  const kept = history.state?.messages ?? {};
  const back = kept.back ?? [];
  let iterator = kept.iterator ?? undefined;
  let next;
  let turn = 0;
  let shown;
  const controls = [state, type, from, to];
  for (const element of [none, pager, clear]) element.hidden = true;

  if (kept.values?.[1]) type.append(h("option", { value: kept.values[1], label: kept.values[1] }));
  controls.forEach((control, place) => {
    control.value = kept.values?.[place] ?? "";
    control.addEventListener("change", changed);
  });
  eventually(() => eventTypes(session().token), signal).then(
    (types) => {
      const others = types.filter(({ name }) => name !== kept.values?.[1]);
      type.append(...others.map(({ name }) => h("option", { value: name, label: name })));
    },
    () => {},
  );

  function turnTo(place) {
    iterator = place;
    turn += 1;
    list.classList.add("stale");
    const values = controls.map(({ value }) => value);
    history.replaceState({ ...history.state, messages: { values, iterator, back } }, "");
    return refresh();
  }

  function changed() {
    back.length = 0;
    return turnTo(undefined);
  }

  function reset() {
    for (const control of controls) control.value = "";
    state.focus();
    return changed();
  }

  /** A page of messages. Where they are filtered, the server looks at a part of them at a time: then go on. */
  async function readPage(mine) {
    let { data, iterator: last, done } = await read(query());
    for (let looks = 1; !done && last && data.length < PER_PAGE && looks < MAX_LOOKS && mine === turn; looks += 1) {
      deeper.hidden = data.length > 0 || mine === shown;
      const page = await read({ ...query(), iterator: last, limit: PER_PAGE - data.length });
      data = [...data, ...page.data];
      ({ iterator: last, done } = page);
    }
    return { data, iterator: last, done };
  }

  const refresh = repeatedly(
    async () => {
      const mine = turn;
      try {
        const page = await readPage(mine);
        if (mine !== turn) return;
        shown = mine;
        show(page);
        problem.hidden = wait.hidden = true;
      } catch (error) {
        if (error.name !== "AbortError" && !error.passing) {
          problem.textContent = error.message;
          problem.hidden = false;
          wait.hidden = true;
        }
        throw error;
      } finally {
        deeper.hidden = true;
      }
    },
    1_500,
    signal,
  );

  function query() {
    const after = from.value && midnight(from.value).toISOString();
    // With an end, a list that has a beginning goes from the newest down, too.
    const end = to.value ? midnight(to.value, 1) : after && new Date(Date.now() + HOUR_MS);
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
    const filtered = controls.some(({ value }) => value);
    clear.hidden = !filtered;
    none.hidden = data.length > 0;
    none.querySelector("p:last-child").textContent = filtered ? t("No message fits these filters.") : hint;
    older.disabled = done || !last;
    newer.disabled = !back.length;
    pager.hidden = older.disabled && newer.disabled;
    reconcile(list, data, ({ id }) => id, row);
    list.classList.remove("stale");
  }

  return h(
    "section",
    { class: "card last", "aria-label": t("List of messages") },
    title && h("div", { class: "card-head" }, h("h2", {}, title)),
    filters,
    wait,
    problem,
    deeper,
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
      h("a", { class: "item-link code", href: to(`/messages/${message.id}`) }, message.eventType),
      h("p", { class: "item-note" }, [message.eventId, message.id, several && spread(message)].filter(Boolean).join(" · ")),
    ),
    stateBadge(stateOf(message)),
    when(message.timestamp, "item-when"),
  );
}

function spread({ succeeded, pending, failed }) {
  return t("{n} endpoints", { n: succeeded + pending + failed });
}
