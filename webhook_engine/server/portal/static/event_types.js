// The event types of the catalogue, and selecting them.

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

/** All event types by name, fetched again after a while. */
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

/** The types that can be newly selected: archived ones are not, although endpoints keep them. */
export const offered = (types) => types.filter(({ archived }) => !archived);

const isWildcard = (name) => name.endsWith(".*");

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
 * A fieldset with a search and a checkbox for each event type that is offered or selected: the selected ones first,
 * then by group. `value()` is null if none is selected, `put(names)` selects others, `complain(text)` shows an error.
 * With `wildcards`, a whole group can be selected with its future types: "invoice.*".
 */
export function eventTypeChoice(types, chosen, { nothing = t("None chosen: this endpoint receives all event types."), wildcards = false } = {}) {
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
    // The checkbox is named by the type alone; the description is its accessible description, and can be clicked too.
    const words = isWildcard(type.name) ? t("All that begin like this, and those to come.") : isOffered ? type.description : t("Not offered any more: once taken off, it cannot be chosen again.");
    const note = words && h("span", { class: "note", id: `${check.id}-note`, on: { click: () => check.disabled || check.click() } }, words);
    if (note) check.setAttribute("aria-describedby", note.id);
    const label = h("span", { class: "choice-name" }, h("label", { class: "code", for: check.id }, type.name), !isOffered && h("span", { class: "state wait" }, t("Archived")));
    const found = `${type.name} ${type.description ?? ""}`.toLowerCase();
    if (isWildcard(type.name)) check.addEventListener("change", () => cover(type.name, check.checked));
    return { name: type.name, check, element: h("div", { class: "choice" }, check, h("span", {}, label, note)), found };
  }

  function filter() {
    const wanted = find.value.trim().toLowerCase();
    for (const { element: each, found } of rows) each.hidden = !found.includes(wanted);
    for (const group of groups) {
      const some = group.rows.some(({ element: each }) => !each.hidden);
      if (group.whole) group.whole.element.hidden = false;
      group.element.hidden = !some;
      if (wanted && some) group.element.open = true;
    }
  }

  function count() {
    foot.textContent = picked.size ? t("{n} chosen", { n: picked.size }) : nothing;
    for (const group of groups) {
      const chosen = group.rows.filter(({ name }) => picked.has(name)).length;
      group.note.textContent = picked.has(group.wildcard) ? t("All") : t("{chosen} of {n}", { chosen, n: group.rows.length });
      group.turn.hidden = picked.has(group.wildcard);
    }
  }

  /** A group that can be opened, with a checkbox for all of it. */
  function grouped(prefix, members, rest) {
    const wildcard = `${prefix}.*`;
    const whole = wildcards ? row({ name: wildcard }, true) : undefined;
    const note = h("span", { class: "group-note" });
    const all = button(t("All"), () => tick(members, true), { size: "tiny", kind: "plain", name: t("Choose all of {prefix}", { prefix }) });
    const off = button(t("None"), () => tick(members, false), { size: "tiny", kind: "plain", name: t("Choose none of {prefix}", { prefix }) });
    const turn = h("div", { class: "group-all" }, all, off);
    if (whole) rows.push(whole);
    const group = h(
      "details",
      { class: "type-group", open: picked.has(wildcard) || rest.length <= WORTH_GROUPING },
      h("summary", {}, icon("right", 14), h("span", { class: "code" }, `${prefix}.`), note),
      whole?.element,
      turn,
      members.map((each) => each.element),
    );
    return { element: group, rows: members, whole, note, wildcard, turn };
  }

  /** The types that a wildcard covers are checked with it, and cannot be changed on their own. */
  function cover(wildcard, on) {
    for (const { name, check } of rows) {
      if (!name.startsWith(wildcard.slice(0, -1)) || isWildcard(name)) continue;
      picked.delete(name);
      check.checked = on;
      check.disabled = on;
    }
    count();
  }

  function tick(members, on) {
    for (const { check } of members) {
      if (check.checked === on || check.closest("[hidden]") || check.matches(":disabled")) continue;
      check.checked = on;
      check.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }

  /** Selected types first, then groups with a common prefix, then single types. */
  function laidOut() {
    groups = [];
    const few = rows.length <= WORTH_GROUPING;
    const covered = ({ name }) => [...picked].some((each) => isWildcard(each) && name.startsWith(each.slice(0, -1)));
    const first = few ? [] : rows.filter((each) => picked.has(each.name) && !covered(each));
    const rest = rows.filter((each) => !first.includes(each));
    const byPrefix = grouping(rest);
    const alone = [];
    for (const [prefix, members] of byPrefix) {
      if (prefix && members.length > 1 && (wildcards || !few)) groups.push(grouped(prefix, members, rest));
      else alone.push(...members);
    }
    const shown = groups.map(({ wildcard }) => wildcard);
    // A wildcard without a group.
    const strange = [...picked].filter((name) => isWildcard(name) && !shown.includes(name)).map((name) => row({ name }, true));
    rows.push(...strange);
    first.unshift(...strange);
    groups.sort((one, other) => picked.has(other.wildcard) - picked.has(one.wildcard));
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
    const kept = [...picked].filter((name) => !isWildcard(name) && !known.some((type) => type.name === name));
    rows = [...known.map((type) => row(type, true)), ...kept.map((name) => row(byName.get(name) ?? { name }, false))];
    fill(list, laidOut());
    box.hidden = !rows.length;
    none.hidden = !box.hidden;
    for (const name of picked) if (isWildcard(name)) cover(name, true);
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
    event.stopPropagation(); // searching for a type does not change the endpoint
    filter();
  });
  element.put(chosen);
  return element;
}
