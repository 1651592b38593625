// DOM elements. Every text becomes a text node: no input is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (`on` holds listeners, `class` classes) and children: nodes, texts, lists or nothing. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG elements. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

// Characters that reverse or hide the text around them, so that it reads as something else (Unicode's Bidi_Control).
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const READ_OUT = ["title", "aria-label", "label", "placeholder"];

/** A text that is safe to show: characters that change its direction are replaced by their names. */
export function shownText(text) {
  return text.replace(TURNING, (character) => `[U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "value" || name === "checked" || name === "disabled") {
      element[name] = value;
    } else {
      const text = value === true ? "" : String(value);
      element.setAttribute(name, READ_OUT.includes(name) ? shownText(text) : text);
    }
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  const some = children.flat(3).filter((child) => child !== undefined && child !== null && child !== false && child !== "");
  return some.map((child) => (child instanceof Node ? child : shownText(String(child))));
}

/** Replace the children of an element. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/**
 * Update the children of a list to match the items: unchanged ones keep their elements, with focus and state.
 * `same(item)` returns a text that changes with what is shown; `make(item, previousElement)` makes the element.
 */
export function reconcile(list, items, key, make, same = JSON.stringify) {
  const known = list.known ?? new Map();
  const next = new Map();
  const first = list.known === undefined;
  for (const item of items) {
    const id = key(item);
    const seen = same(item);
    let entry = known.get(id);
    if (!entry || entry.seen !== seen) {
      const element = make(item, entry?.element);
      if (!entry && !first) element.classList.add("fresh");
      const hadFocus = entry?.element.contains(document.activeElement);
      entry = { seen, element, old: entry?.element };
      if (hadFocus) entry.refocus = focusPath(entry.old);
    }
    next.set(id, entry);
  }
  const wanted = [...next.values()].map((entry) => entry.element);
  const current = [...list.children];
  if (wanted.length !== current.length || wanted.some((element, place) => element !== current[place])) {
    for (const element of current) if (!wanted.includes(element)) element.remove();
    wanted.forEach((element, place) => {
      if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
    });
  }
  for (const entry of next.values()) {
    if (entry.refocus) focusables(entry.element)[entry.refocus.place]?.focus();
    delete entry.refocus;
    delete entry.old;
  }
  list.known = next;
}

function focusables(element) {
  return [...element.querySelectorAll("a[href], button, input, select, textarea, summary")];
}

function focusPath(element) {
  const place = focusables(element).indexOf(document.activeElement);
  return place < 0 ? undefined : { place };
}

let ids = 0;

/** An id for an element, unique on the page. */
export function freshId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

const ICONS = {
  check: "M3.5 8.5l3 3 6-7",
  cross: "M4 4l8 8M12 4l-8 8",
  clock: "M8 4.5V8l2.5 1.5M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5z",
  dash: "M4 8h8",
  right: "M6 3.5L10.5 8 6 12.5",
  left: "M10 3.5L5.5 8 10 12.5",
  plus: "M8 3v10M3 8h10",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  download: "M8 2.5v7.5M4.75 7L8 10.25 11.25 7M3 13h10",
  find: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9zM10.4 10.4L13.5 13.5",
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 9.75a1.75 1.75 0 1 0 0-3.5a1.75 1.75 0 0 0 0 3.5z",
  warning: "M8 2L1.75 13.25h12.5zM8 6.5v3M8 11.4v.1",
  info: "M8 7.25v3.5M8 5v.1M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5z",
  inbox: "M2 9.5l2-6h8l2 6v4H2zM2 9.5h3.5l1 1.75h3l1-1.75H14",
  link: "M6.75 9.25a2.75 2.75 0 0 0 3.9 0l2-2a2.75 2.75 0 1 0-3.9-3.9l-.9.9M9.25 6.75a2.75 2.75 0 0 0-3.9 0l-2 2a2.75 2.75 0 1 0 3.9 3.9l.9-.9",
  again: "M13 3.5v3.25H9.75M12.7 6.75A5.25 5.25 0 1 0 13 9.5",
  play: "M5 3.25l7.5 4.75L5 12.75z",
  hook: "M5.2 9.5a3 3 0 1 0 3.1 3.1h4.2M8 6.2L6 9.4M10.9 5.2A3 3 0 1 0 6 6.9M8 4.2l2.1 5a3 3 0 1 1 1 4.9",
  exit: "M6.5 2.5h-4v11h4M10 5l3 3-3 3M13 8H6",
};

/** A decorative icon, without meaning of its own. */
export function icon(name, size = 16) {
  return svg(
    "svg",
    { width: size, height: size, viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" },
    svg("path", {
      d: ICONS[name],
      fill: "none",
      stroke: "currentColor",
      "stroke-width": "1.6",
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
    }),
  );
}
