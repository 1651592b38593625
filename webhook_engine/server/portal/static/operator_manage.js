// Operator actions for one customer: a link to the portal, a message; and the recent changes.

import "./operator_room.js";
import { to } from "./address.js";
import { api, app, eventually, get } from "./api.js";
import { eventTypes, exampleOf, offered } from "./event_types.js";
import { fill, h } from "./dom.js";
import { fullTime, pretty } from "./format.js";
import { t } from "./language.js";
import { entry } from "./operator_audit.js";
import { session } from "./session.js";
import { button, card, codeBox, complainAt, empty, field, input, loading, select, toast } from "./ui.js";

const HOUR_S = 3_600;
const LATELY = 10;
const SPANS = [
  [HOUR_S, t("1 hour")],
  [12 * HOUR_S, t("12 hours")],
  [24 * HOUR_S, t("1 day")],
  [7 * 24 * HOUR_S, t("7 days")],
];

/** "#/applications/ID/manage" */
export function managePage(page, signal) {
  const facts = h("div", {}, loading());
  const lately = h("div", {}, loading());
  fill(
    page,
    h("div", { class: "head" }, h("div", {}, h("h1", {}, t("Manage")), h("p", {}, t("What you can do for this customer.")))),
    h("div", { class: "columns even" }, h("div", { class: "stack" }, linkCard(signal), messageCard(signal)), h("div", { class: "stack" }, card(t("Details"), facts), lately)),
  );
  eventually(() => get(app(), {}, signal), signal).then(
    (found) => {
      const known = [
        [t("Name"), found.name],
        ["uid", found.uid && h("code", {}, found.uid)],
        [t("Id"), h("code", {}, found.id)],
        [t("Rate limit"), found.throttleRate && t("{n} per second", { n: found.throttleRate })],
        [t("Created"), fullTime(found.createdAt)],
      ];
      fill(facts, h("dl", { class: "facts" }, known.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
    },
    (error) => error.name === "AbortError" || fill(facts, h("p", { class: "problem" }, error.message)),
  );
  eventually(() => get("audit-log", { application: session().application, limit: LATELY }, signal), signal).then(
    ({ data }) =>
      fill(
        lately,
        h(
          "section",
          { class: "card", "aria-label": t("Latest changes") },
          h("div", { class: "card-head over" }, h("h2", {}, t("Latest changes")), h("a", { class: "row-end small", href: `#/audit?${new URLSearchParams({ application: session().application })}` }, t("All changes"))),
          data.length ? h("ul", { class: "list narrow-list" }, data.map(entry)) : empty("inbox", t("No changes")),
        ),
      ),
    () => fill(lately),
  );
}

function linkCard(signal) {
  const lasting = select(SPANS.map(([seconds, text]) => [String(seconds), text]), { value: String(24 * HOUR_S) });
  const looking = h("input", { type: "checkbox", id: "look-only" });
  const made = h("div", { class: "stack-small", role: "status" });
  const make = async () => {
    const { url } = await api("POST", `auth/app-portal-access/${encodeURIComponent(session().application)}`, { body: { expiry: Number(lasting.value), readOnly: looking.checked }, signal });
    fill(made, codeBox(t("Link to the portal"), url, {}), h("p", { class: "hint" }, t("It opens once. Whoever opens it acts for this customer.")));
  };
  return card(
    t("Link to the portal"),
    h(
      "div",
      { class: "stack-small" },
      field(t("The session lasts"), lasting),
      h("div", { class: "row" }, looking, h("label", { for: "look-only" }, t("May look, and change nothing"))),
      h("div", { class: "row" }, button(t("Make a link"), make, { kind: "main", glyph: "link" })),
      made,
    ),
  );
}

function messageCard(signal) {
  const type = input({ class: "input code", list: "known-types", required: true });
  const known = h("datalist", { id: "known-types" });
  const event = input({ class: "input code" });
  const payload = h("textarea", { class: "input code", rows: "8", spellcheck: "false" });
  const wrapped = { eventType: field(t("Event type"), type), eventId: field(t("Event id"), event, { optional: true }), payload: field(t("Payload"), payload) };
  const sent = h("div", { role: "status" });
  let types = [];
  payload.value = "{}";
  let proposed = payload.value;
  eventually(() => eventTypes(session().token), signal).then(
    (found) => {
      types = offered(found);
      fill(known, types.map(({ name }) => h("option", { value: name })));
    },
    () => {},
  );
  type.addEventListener("change", () => {
    const example = exampleOf(types.find(({ name }) => name === type.value));
    if (example !== undefined && payload.value === proposed) payload.value = proposed = pretty(example);
  });
  const send = async () => {
    for (const each of Object.values(wrapped)) each.complain();
    let content;
    try {
      content = JSON.parse(payload.value);
    } catch (error) {
      return wrapped.payload.complain(t("This is not JSON: {problem}", { problem: error.message }));
    }
    if (!type.value.trim()) return wrapped.eventType.complain(t("Say which event it is."));
    try {
      const { id } = await api("POST", app("msg"), { body: { eventType: type.value.trim(), payload: content, ...(event.value.trim() ? { eventId: event.value.trim() } : {}) }, signal, onceKey: crypto.randomUUID?.() });
      fill(sent, h("p", { class: "small" }, t("Accepted:"), " ", h("a", { class: "code", href: to(`/messages/${id}`) }, id)));
      toast(t("The message is on its way"));
    } catch (error) {
      complainAt(wrapped, error, wrapped.payload);
    }
    return undefined;
  };
  const action = button(t("Send message"), undefined, { submit: true, kind: "main", glyph: "play" });
  const form = h("form", { class: "stack-small", novalidate: true, on: { submit: (submitted) => (submitted.preventDefault(), busySend()) } }, wrapped.eventType, known, wrapped.eventId, wrapped.payload, h("div", { class: "row" }, action), sent);
  let going = false;
  async function busySend() {
    if (going) return;
    going = true;
    action.setAttribute("aria-busy", "true");
    await send();
    action.removeAttribute("aria-busy");
    going = false;
  }
  return card(t("Send a message"), form, { note: t("It goes to all endpoints of this customer that listen to it.") });
}
