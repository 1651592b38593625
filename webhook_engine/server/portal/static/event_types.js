// The event types of the catalogue, and choosing among them.

import { all } from "./api.js";
import { freshId, h } from "./dom.js";
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
    known = all("event-type", { with_content: true }, undefined, MAX_TYPES).catch((error) => {
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

/** A fieldset with a search and a checkbox for each event type; `value()` is null where none is chosen. */
export function eventTypeChoice(types, chosen = []) {
  const picked = new Set(chosen);
  const names = new Set(types.map(({ name }) => name));
  const shown = [...types, ...chosen.filter((name) => !names.has(name)).map((name) => ({ name, description: "" }))];
  const foot = h("p", { class: "choices-foot", role: "status" });
  const find = input({ type: "search", placeholder: "Search…", "aria-label": "Find event types" });
  const rows = shown.map((type) => {
    const box = h("input", { type: "checkbox", checked: picked.has(type.name) });
    box.addEventListener("change", () => {
      if (box.checked) picked.add(type.name);
      else picked.delete(type.name);
      count();
    });
    // The name of the box is that of the type alone; its description describes it, and may be clicked as well.
    box.id = freshId("type");
    const note = type.description && h("span", { class: "note", id: `${box.id}-note`, on: { click: () => box.disabled || box.click() } }, type.description);
    if (note) box.setAttribute("aria-describedby", note.id);
    const row = h("div", { class: "choice" }, box, h("span", {}, h("label", { class: "code", for: box.id }, type.name), note));
    return { row, words: `${type.name} ${type.description}`.toLowerCase() };
  });
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    for (const { row, words } of rows) row.hidden = !words.includes(wanted);
  });
  function count() {
    foot.textContent = picked.size ? `${picked.size} chosen` : "None chosen: this endpoint receives all event types.";
  }
  count();
  const legend = freshId("legend");
  const element = h(
    "div",
    { class: "field", role: "group", "aria-labelledby": legend },
    h("span", { class: "label", id: legend }, "Event types"),
    shown.length
      ? h("div", { class: "choices" }, h("div", { class: "choices-find" }, find), h("div", { class: "choices-list" }, rows.map(({ row }) => row)), foot)
      : h("p", { class: "hint" }, "No event types are registered; the endpoint receives everything."),
  );
  element.value = () => (picked.size ? [...picked] : null);
  return element;
}
