// Lists of messages with their states: of the application, with all filters, and of one endpoint.

import { to } from "./address.js";
import { app, eventually, get } from "./api.js";
import { eventTypes } from "./event_types.js";
import { fill, h, icon, reconcile } from "./dom.js";
import { fullTime, midnight } from "./format.js";
import { pieces, t } from "./language.js";
import { selection } from "./resend.js";
import { may, session } from "./session.js";
import { button, empty, field, input, loading, repeatedly, select, stateBadge, stateOf, when } from "./ui.js";
import { stay } from "./unsaved.js";

const PER_PAGE = 25;
const STATES = [
  ["", t("Any")],
  ["0", t("Succeeded")],
  ["1", t("Pending")],
  ["2", t("Failed")],
];
const ANSWERS = [
  ["", t("Any")],
  ["2xx", "2xx"],
  ["3xx", "3xx"],
  ["4xx", "4xx"],
  ["5xx", "5xx"],
  ["timeout", t("No response in time")],
  ["connect", t("No connection")],
  ["dns", t("Name not found")],
  ["tls", t("No secure connection")],
  ["blocked", t("Blocked")],
  ["protocol", t("Not HTTP")],
];
const HOUR_MS = 3_600_000;
const MAX_LOOKS = 20;
const MAX_ENDPOINTS = 250;
const TYPED_MS = 300;

/** "#/messages", with the filters in the query of the address */
export function messagesPage(page, signal, query = "") {
  const said = new URLSearchParams(query);
  fill(
    page,
    h("div", { class: "head" }, h("div", {}, h("h1", {}, t("Messages")), h("p", {}, t("Every event that was created for you, newest first.")))),
    messageList(signal, {
      read: (asked) => readAll(asked, signal),
      hint: t("Events will show up here as soon as there are any."),
      said,
    }),
  );
}

/** Without a filter the newest messages are listed; with one they are searched. */
function readAll({ text, answer, endpoint_id, ...query }, signal) {
  const filtered = text || answer || endpoint_id || query.status !== "";
  if (filtered) return get(app("message-search"), { ...query, text, answer, endpoint_id }, signal);
  return get(app("message-state"), { ...query, with_content: false }, signal);
}

/** The messages of one endpoint, as a card with a title. */
export function endpointMessages(endpoint, signal) {
  const read = async (query) => {
    if (query.status !== "1") return get(app("endpoint", endpoint, "msg"), query, signal);
    // The API distinguishes first attempts that are due from retries; this list does not.
    const pages = await Promise.all(
      ["1", "3"].map((status) => get(app("endpoint", endpoint, "msg"), { ...query, status }, signal)),
    );
    // Either list may end early. Messages older than the end of one are left to the next page, where both lists have
    // them.
    const end = pages.filter(({ done }) => !done).map(({ iterator }) => iterator).sort().at(-1);
    const data = pages.flatMap((each) => each.data).filter(({ id }) => !end || id >= end).sort((a, b) => (a.id < b.id ? 1 : -1));
    const cut = data.slice(0, query.limit);
    const all = cut.length === data.length;
    return { data: cut, iterator: all && end ? end : cut.at(-1)?.id, done: all && !end };
  };
  return messageList(signal, {
    read: ({ text, answer, endpoint_id, ...query }) => read({ ...query, with_content: false, expanded_statuses: true }),
    hint: may("CreateAttempts") ? t("Nothing was sent to this endpoint yet. Try it out on the tab Testing.") : t("Nothing was sent to this endpoint yet."),
    title: t("Messages"),
    endpoint,
  });
}

/** The filters: a control for each name in the address. */
function filterControls(said, signal) {
  const controls = { state: select(STATES), type: select([["", t("Any")]]), from: input({ type: "date" }), to: input({ type: "date" }) };
  const fields = [field(t("State"), controls.state), field(t("Event type"), controls.type)];
  if (said) {
    controls.q = input({ type: "search", placeholder: t("Id, endpoint, or words in the payload") });
    controls.answer = select(ANSWERS);
    controls.endpoint = select([["", t("Any")]]);
    fields.push(field(t("Answer"), controls.answer), field(t("Endpoint"), controls.endpoint));
    fillIn(controls.endpoint, () => get(app("endpoint"), { limit: MAX_ENDPOINTS }, signal).then(({ data }) => data.map(({ id, url, description }) => [id, description || url])));
  }
  fillIn(controls.type, () => eventTypes(session().token).then((types) => types.map(({ name }) => [name, name])));
  fields.push(field(t("From"), controls.from), field(t("To"), controls.to));

  function fillIn(control, read) {
    eventually(read, signal).then(
      (choices) => {
        const chosen = control.value;
        const others = choices.filter(([value]) => value !== chosen);
        for (const option of control.options) option.label = choices.find(([value]) => value === option.value)?.[1] ?? option.label;
        control.append(...others.map(([value, label]) => h("option", { value, label })));
      },
      () => {},
    );
  }

  return { controls, fields };
}

/** Set a value, whether it is among the options (yet) or not. */
function put(control, value) {
  if (control.matches("select") && ![...control.options].some((option) => option.value === value)) {
    control.append(h("option", { value, label: value }));
  }
  control.value = value;
}

function messageList(signal, { read, hint, title, said, endpoint }) {
  const list = h("ul", { class: "list" });
  const wait = loading();
  const none = empty("inbox", t("No messages"), hint);
  const deeper = h("p", { class: "soft small card-body", role: "status", hidden: true });
  const problem = h("p", { class: "problem card-body", role: "alert", hidden: true });
  const { controls, fields } = filterControls(said, signal);
  const older = button(t("Older"), () => (back.push(iterator), turnTo(next)), {});
  const newer = button(t("Newer"), () => turnTo(back.pop()), {});
  const further = button(t("Look further back"), () => (back.push(iterator), turnTo(next)), { size: "tiny" });
  const clear = button(t("Clear filters"), () => reset(), { kind: "plain", glyph: "cross" });
  const pager = h("nav", { class: "pager", "aria-label": t("Pages") }, newer, older);
  const span = h("div", { class: "chips" });
  const chosen = may("CreateAttempts") ? selection(endpoint, signal, () => refresh()) : undefined;
  const finder = said && h("div", { class: "finder" }, icon("find", 16), controls.q);
  const filters = h(
    "form",
    { class: "filters", role: "search", "aria-label": t("Filters"), on: { submit: (event) => (event.preventDefault(), changed()) } },
    finder,
    fields,
    clear,
    span,
  );
  // The position in the list is stored in the history entry, so that it survives a reload and going back.
  const kept = history.state?.messages ?? {};
  const back = kept.back ?? [];
  let iterator = kept.iterator ?? said?.get("at") ?? undefined;
  let since = said?.get("since") ?? "";
  let until = said?.get("until") ?? "";
  let next;
  let turn = 0;
  let shown;
  let lookedTo;
  let typing;
  for (const element of [none, pager, clear, span]) element.hidden = true;

  for (const [name, control] of Object.entries(controls)) {
    put(control, (said ? said.get(name) : kept.values?.[name]) ?? "");
    control.addEventListener("change", changed);
  }
  if (said) {
    controls.q.setAttribute("aria-label", t("Search messages"));
    controls.q.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(changed, TYPED_MS);
    });
  }
  spanChip();

  function turnTo(place) {
    clearTimeout(typing);
    iterator = place;
    turn += 1;
    list.classList.add("stale");
    const values = Object.fromEntries(Object.entries(controls).map(([name, { value }]) => [name, value]));
    if (said) {
      const asked = new URLSearchParams(Object.entries({ ...values, since, until, at: iterator ?? "" }).filter(([, value]) => value));
      stay(to(`/messages${asked.size ? `?${asked}` : ""}`));
    }
    history.replaceState({ ...history.state, messages: { values, iterator, back } }, "");
    return refresh();
  }

  let before = JSON.stringify(Object.values(controls).map(({ value }) => value));
  function changed() {
    const now = JSON.stringify(Object.values(controls).map(({ value }) => value));
    if (now === before) return undefined;
    before = now;
    back.length = 0;
    return turnTo(undefined);
  }

  function reset() {
    for (const control of Object.values(controls)) control.value = "";
    since = until = "";
    spanChip();
    before = undefined;
    (controls.q ?? controls.state).focus();
    return changed();
  }

  /** A time range chosen by a chart or a link, which has no field. */
  function spanChip() {
    span.hidden = !since && !until;
    const drop = () => {
      since = until = "";
      spanChip();
      before = undefined;
      controls.state.focus();
      return changed();
    };
    fill(span, !span.hidden && h("span", { class: "chip" }, icon("clock", 14), `${since ? fullTime(since) : "…"} – ${until ? fullTime(until) : "…"}`, button("", drop, { kind: "plain icon", glyph: "cross", name: t("Any time") })));
  }

  /** Fetch a page of messages. With filters, the server searches part of them at a time: then continue. */
  async function readPage(mine) {
    let page = await read(query());
    let { data } = page;
    for (let looks = 1; !page.done && page.iterator && data.length < PER_PAGE && looks < MAX_LOOKS && mine === turn; looks += 1) {
      if (data.length && mine !== shown) show({ ...page, data }, true);
      deeper.hidden = mine === shown;
      fill(deeper, page.lookedTo ? t("Looking further back than {time}…", { time: fullTime(page.lookedTo) }) : t("Looking further back…"));
      page = await read({ ...query(), iterator: page.iterator, limit: PER_PAGE - data.length });
      data = [...data, ...page.data];
    }
    return { ...page, data };
  }

  const refresh = repeatedly(
    async () => {
      const mine = turn;
      // A search that took many requests is not repeated automatically.
      if (mine === shown && lookedTo) return;
      try {
        const page = await readPage(mine);
        if (mine !== turn) return;
        shown = mine;
        lookedTo = page.data.length < PER_PAGE ? page.lookedTo : undefined;
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
        if (mine === turn) told();
      }
    },
    1_500,
    signal,
  );

  /** Show how far back the search went, if not to the end. */
  function told() {
    deeper.hidden = !lookedTo;
    if (lookedTo) fill(deeper, pieces("Looked at everything back to {time}. {further}", { time: fullTime(lookedTo), further }));
  }

  function query() {
    const after = since || (controls.from.value && midnight(controls.from.value).toISOString());
    // With an upper bound, a list with a lower bound is sorted from the newest down, too.
    const end = controls.to.value ? midnight(controls.to.value, 1) : after && new Date(Date.now() + HOUR_MS);
    return {
      limit: PER_PAGE,
      iterator,
      text: controls.q?.value.trim(),
      status: controls.state.value,
      event_types: controls.type.value,
      answer: controls.answer?.value,
      endpoint_id: controls.endpoint?.value,
      after,
      before: until || (end ? end.toISOString() : undefined),
    };
  }

  function show({ data, iterator: last, done }, more = false) {
    next = last;
    const filtered = Boolean(since || until) || Object.values(controls).some(({ value }) => value);
    clear.hidden = !filtered;
    none.hidden = data.length > 0 || more;
    none.querySelector("p:last-child").textContent = filtered ? t("No message fits these filters.") : hint;
    older.disabled = done || !last || data.length < PER_PAGE;
    newer.disabled = !back.length;
    pager.hidden = older.disabled && newer.disabled;
    reconcile(list, data, ({ id }) => id, (message) => row(message, chosen));
    chosen?.offer(data);
    list.classList.remove("stale");
  }

  return h(
    "section",
    { class: "card last", "aria-label": t("List of messages") },
    title && h("div", { class: "card-head" }, h("h2", {}, title), endpoint && h("a", { class: "row-end small", href: to(`/messages?endpoint=${endpoint}`) }, t("Search in these"))),
    filters,
    wait,
    problem,
    chosen?.bar,
    none,
    list,
    deeper,
    pager,
  );
}

function row(message, chosen) {
  const several = (message.succeeded ?? 0) + (message.pending ?? 0) + (message.failed ?? 0) > 1;
  return h(
    "li",
    { class: `item item-message ${chosen ? "choosable" : ""}` },
    chosen?.box(message),
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
