// The event types of the whole organization: list, add and archive them.

import "./operator_room.js";
import { all, api } from "./api.js";
import { exampleOf } from "./event_types.js";
import { fill, h } from "./dom.js";
import { pretty } from "./format.js";
import { t } from "./language.js";
import { button, codeBox, complainAt, confirm, empty, field, input, loading, repeatedly, toast } from "./ui.js";

const MOST = 5_000;

/** "#/event-types" */
export function eventTypesPage(page, signal) {
  const content = h("div", {}, loading());
  const find = input({ type: "search", placeholder: t("Search…"), "aria-label": t("Find event types") });
  const form = newType(() => refresh(), signal);
  let types = [];
  form.hidden = true;
  const open = button(t("New event type"), () => ((form.hidden = !form.hidden), open.setAttribute("aria-expanded", String(!form.hidden)), form.hidden || form.querySelector("input").focus()), { kind: "main", glyph: "plus" });
  open.setAttribute("aria-expanded", "false");
  fill(
    page,
    h("div", { class: "head" }, h("div", {}, h("h1", {}, t("Event types")), h("p", {}, t("The kinds of events that all your customers can choose from."))), open),
    h("div", { class: "stack" }, form, h("section", { class: "card", "aria-label": t("List") }, h("div", { class: "filters" }, find), content)),
  );
  const refresh = repeatedly(
    async () => {
      types = await all("event-type", { with_content: true, include_archived: true }, signal, MOST);
      show();
    },
    30_000,
    signal,
  );
  find.addEventListener("input", show);

  let before;
  function show() {
    const words = find.value.trim().toLowerCase();
    const fitting = types.filter(({ name, description }) => `${name} ${description}`.toLowerCase().includes(words));
    const seen = JSON.stringify(fitting);
    if (seen === before) return;
    before = seen;
    fill(content, fitting.length ? h("ul", { class: "list" }, fitting.map(row)) : empty("inbox", t("No event types"), types.length ? t("Nothing in the catalogue fits your search.") : t("A message may have any event type; those that are registered can be chosen for endpoints.")));
  }

  function row(type) {
    const archive = async () => {
      const agreed = await confirm(t("Archive {name}?", { name: type.name }), t("Nobody can choose it any more. Endpoints that have chosen it keep it, and messages of it are delivered as before."), t("Archive"), "danger");
      if (!agreed) return;
      await api("DELETE", `event-type/${encodeURIComponent(type.name)}`, { signal });
      await refresh();
    };
    const restore = async () => {
      await api("PATCH", `event-type/${encodeURIComponent(type.name)}`, { body: { archived: false }, signal });
      await refresh();
    };
    const example = exampleOf(type);
    return h(
      "li",
      { class: "item item-two" },
      h(
        "div",
        { class: "stack-small" },
        h("p", {}, h("span", { class: "code strong" }, type.name), " ", type.archived && h("span", { class: "state wait" }, t("Archived"))),
        type.description && h("p", { class: "soft small" }, type.description),
        example !== undefined && h("details", { class: "fold" }, h("summary", {}, t("Example")), codeBox(t("Example"), pretty(example), { json: true })),
      ),
      type.archived
        ? button(t("Offer again"), restore, { size: "tiny", name: t("Offer {name} again", { name: type.name }) })
        : button(t("Archive"), archive, { size: "tiny", kind: "plain", name: t("Archive {name}", { name: type.name }) }),
    );
  }
}

function newType(made, signal) {
  const name = input({ class: "input code", placeholder: "invoice.paid" });
  const description = input();
  const example = h("textarea", { class: "input code", rows: "5", spellcheck: "false" });
  const wrapped = { name: field(t("Name"), name), description: field(t("Description"), description), example: field(t("Example"), example, { optional: true, hint: t("A payload as JSON: it is shown to customers, and sent by “Send example”.") }) };
  async function submit(event) {
    event.preventDefault();
    for (const each of Object.values(wrapped)) each.complain();
    let schemas;
    try {
      if (example.value.trim()) schemas = { 1: { title: name.value.trim(), examples: [JSON.parse(example.value)] } };
    } catch (error) {
      wrapped.example.complain(t("This is not JSON: {problem}", { problem: error.message }));
      return;
    }
    try {
      await api("POST", "event-type", { body: { name: name.value.trim(), description: description.value.trim(), ...(schemas ? { schemas } : {}) }, signal });
    } catch (error) {
      complainAt(wrapped, error, wrapped.name);
      return;
    }
    toast(t("{name} can be chosen now", { name: name.value.trim() }));
    for (const each of [name, description, example]) each.value = "";
    made();
  }
  return h("section", { class: "card narrow", "aria-label": t("New event type") }, h("form", { class: "card-body stack-small", novalidate: true, on: { submit } }, wrapped.name, wrapped.description, wrapped.example, h("div", { class: "row" }, button(t("Create event type"), undefined, { submit: true, kind: "main" }))));
}
