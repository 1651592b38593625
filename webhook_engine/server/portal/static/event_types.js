// The event types of the catalogue, and choosing among them.

import { all } from "./api.js";
import { fill, freshId, h, icon } from "./dom.js";
import { t } from "./language.js";
import { button, input } from "./ui.js";

const MAX_TYPES = 5_000;
const FRESH_MS = 60_000;
const WORTH_GROUPING = 8;

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

/** The part of a name that several event types share, such as "invoice". */
const prefixOf = (name) => (name.includes(".") ? name.slice(0, name.indexOf(".")) : "");

function grouping(rows) {
  const found = new Map();
  for (const row of rows) {
    const prefix = prefixOf(row.name);
    found.set(prefix, [...(found.get(prefix) ?? []), row]);
  }
  return found;
}

/**
 * A fieldset with a search and a checkbox for each event type that is offered or chosen, those that were chosen first,
 * then by groups; `value()` is null where none is chosen, `put(names)` chooses others, `complain(text)` says what is wrong.
 */
export function eventTypeChoice(types, chosen, nothing = t("None chosen: this endpoint receives all event types.")) {
  const byName = new Map(types.map((type) => [type.name, type]));
  const list = h("div", { class: "choices-list" });
  const foot = h("p", { class: "choices-foot", role: "status" });
  const find = input({ type: "search", placeholder: t("Search…"), "aria-label": t("Find event types") });
  const none = h("p", { class: "hint" }, t("No event types are registered; the endpoint receives everything."));
  const box = h("div", { class: "choices" }, h("div", { class: "choices-find" }, find), list, foot);
  const legend = freshId("legend");
  const problem = h("p", { class: "problem", id: `${legend}-problem`, hidden: true });
  const element = h("div", { class: "field", role: "group", "aria-labelledby": legend }, h("span", { class: "label", id: legend }, t("Event types")), box, problem, none);
  let picked;
  let rows;
  let groups;

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
    return { name: type.name, check, element: h("div", { class: "choice" }, check, h("span", {}, label, note)), found };
  }

  function filter() {
    const wanted = find.value.trim().toLowerCase();
    for (const { element: each, found } of rows) each.hidden = !found.includes(wanted);
    for (const group of groups) {
      const some = group.rows.some(({ element: each }) => !each.hidden);
      group.element.hidden = !some;
      if (wanted && some) group.element.open = true;
    }
  }

  function count() {
    foot.textContent = picked.size ? t("{n} chosen", { n: picked.size }) : nothing;
    for (const group of groups) {
      const chosen = group.rows.filter(({ name }) => picked.has(name)).length;
      group.note.textContent = t("{chosen} of {n}", { chosen, n: group.rows.length });
    }
  }

  /** A part of the list that can be opened, with all of it to choose at once. */
  function grouped(prefix, members) {
    const note = h("span", { class: "group-note" });
    const all = button(t("All"), () => tick(members, true), { size: "tiny", kind: "plain", name: t("Choose all of {prefix}", { prefix }) });
    const off = button(t("None"), () => tick(members, false), { size: "tiny", kind: "plain", name: t("Choose none of {prefix}", { prefix }) });
    const group = h(
      "details",
      { class: "type-group" },
      h("summary", {}, icon("right", 14), h("span", { class: "code" }, `${prefix}.`), note),
      h("div", { class: "group-all" }, all, off),
      members.map((each) => each.element),
    );
    return { element: group, rows: members, note };
  }

  function tick(members, on) {
    for (const { check } of members) {
      if (check.checked === on || check.closest("[hidden]") || check.matches(":disabled")) continue;
      check.checked = on;
      check.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }

  /** What was chosen stands first, then what several share the beginning of a name with, then what is alone. */
  function laidOut() {
    groups = [];
    if (rows.length <= WORTH_GROUPING) return rows.map((each) => each.element);
    const first = rows.filter(({ name }) => picked.has(name));
    const rest = rows.filter(({ name }) => !picked.has(name));
    const byPrefix = grouping(rest);
    const alone = [];
    for (const [prefix, members] of byPrefix) {
      if (prefix && members.length > 1) groups.push(grouped(prefix, members));
      else alone.push(...members);
    }
    return [
      first.length > 0 && h("p", { class: "choices-part" }, t("Chosen")),
      first.map((each) => each.element),
      first.length > 0 && rest.length > 0 && h("p", { class: "choices-part" }, t("All others")),
      groups.map((group) => group.element),
      alone.map((each) => each.element),
    ];
  }

  element.put = (names) => {
    picked = new Set(names ?? []);
    const known = offered(types);
    const kept = [...picked].filter((name) => !known.some((type) => type.name === name));
    rows = [...known.map((type) => row(type, true)), ...kept.map((name) => (name.endsWith(".*") ? row({ name, description: t("All event types that begin so.") }, true) : row(byName.get(name) ?? { name }, false)))];
    fill(list, laidOut());
    box.hidden = !rows.length;
    none.hidden = !box.hidden;
    filter();
    count();
  };
  element.look = () => {};
  element.complain = (text) => {
    problem.textContent = text ?? "";
    problem.hidden = !text;
    if (text) find.setAttribute("aria-invalid", "true");
    else find.removeAttribute("aria-invalid");
  };
  find.setAttribute("aria-describedby", problem.id);
  element.value = () => (picked.size ? [...picked] : null);
  find.addEventListener("input", (event) => {
    event.stopPropagation(); // nothing of the endpoint was changed by looking for a type
    filter();
  });
  element.put(chosen);
  return element;
}
