// The event types of the catalogue, and choosing among them.

import { all } from "./api.js";
import { fill, freshId, h } from "./dom.js";
import { t } from "./language.js";
import { input } from "./ui.js";

const MAX_TYPES = 5_000;
const FRESH_MS = 60_000;

let known;
let knownFor;
let knownAt = 0;

/** All event types by name, read again after a while. */
export function eventTypes(token) {
  if (!known || knownFor !== token || Date.now() - knownAt > FRESH_MS) {
    knownFor = token;
    knownAt = Date.now();
    known = all("event-type", { with_content: true, include_archived: true }, undefined, MAX_TYPES).catch((error) => {
      known = undefined;
      throw error;
    });
  }
  return known;
}

/** The first example in the schema of an event type. */
export function exampleOf(type) {
  return type?.schemas?.["1"]?.examples?.[0];
}

/** What may be chosen anew: what is archived is not offered any more, though endpoints keep it. */
export const offered = (types) => types.filter(({ archived }) => !archived);

/**
 * A fieldset with a search and a checkbox for each event type that is offered or chosen; `value()` is null where none
 * is chosen, and `put(names)` chooses others.
 */
export function eventTypeChoice(types, chosen, nothing = t("None chosen: this endpoint receives all event types.")) {
  const byName = new Map(types.map((type) => [type.name, type]));
  const list = h("div", { class: "choices-list" });
  const foot = h("p", { class: "choices-foot", role: "status" });
  const find = input({ type: "search", placeholder: t("Search…"), "aria-label": t("Find event types") });
  const none = h("p", { class: "hint" }, t("No event types are registered; the endpoint receives everything."));
  const box = h("div", { class: "choices" }, h("div", { class: "choices-find" }, find), list, foot);
  const legend = freshId("legend");
  const element = h("div", { class: "field", role: "group", "aria-labelledby": legend }, h("span", { class: "label", id: legend }, t("Event types")), box, none);
  let picked;
  let rows;

  function row(type, isOffered) {
    const check = h("input", { type: "checkbox", checked: picked.has(type.name), id: freshId("type") });
    check.addEventListener("change", () => {
      if (check.checked) picked.add(type.name);
      else picked.delete(type.name);
      count();
    });
    // The name of the box is that of the type alone; its description describes it, and may be clicked as well.
    const words = isOffered ? type.description : t("Not offered any more: once taken off, it cannot be chosen again.");
    const note = words && h("span", { class: "note", id: `${check.id}-note`, on: { click: () => check.disabled || check.click() } }, words);
    if (note) check.setAttribute("aria-describedby", note.id);
    const label = h("span", { class: "choice-name" }, h("label", { class: "code", for: check.id }, type.name), !isOffered && h("span", { class: "state wait" }, t("Archived")));
    const found = `${type.name} ${type.description ?? ""}`.toLowerCase();
    return { element: h("div", { class: "choice" }, check, h("span", {}, label, note)), found };
  }

  function filter() {
    const wanted = find.value.trim().toLowerCase();
    for (const { element: each, found } of rows) each.hidden = !found.includes(wanted);
  }

  function count() {
    foot.textContent = picked.size ? t("{n} chosen", { n: picked.size }) : nothing;
  }

  element.put = (names) => {
    picked = new Set(names ?? []);
    const known = offered(types);
    const kept = [...picked].filter((name) => !known.some((type) => type.name === name));
    rows = [...known.map((type) => row(type, true)), ...kept.map((name) => row(byName.get(name) ?? { name }, false))];
    fill(list, rows.map((each) => each.element));
    box.hidden = !rows.length;
    none.hidden = !box.hidden;
    filter();
    count();
  };
  element.value = () => (picked.size ? [...picked] : null);
  find.addEventListener("input", (event) => {
    event.stopPropagation(); // nothing of the endpoint was changed by looking for a type
    filter();
  });
  element.put(chosen);
  return element;
}
