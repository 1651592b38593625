// Components that several pages use.

import { fill, freshId, h, icon, shownText } from "./dom.js";
import { fromNow, fullTime, prettyText, remaining } from "./format.js";
import { LANGUAGES, language, speak, t } from "./language.js";
import { failureOf } from "./words.js";

/** A button; `kind` is "main", "danger", "plain" or nothing. While its action runs it cannot be pressed again. */
export function button(label, action, { kind = "", size = "", glyph, name, submit = false, disabled = false } = {}) {
  const element = h(
    "button",
    { type: submit ? "submit" : "button", class: `button ${kind} ${size}`, "aria-label": name, disabled },
    glyph && icon(glyph),
    label,
  );
  if (action) {
    element.addEventListener("click", () => {
      if (element.getAttribute("aria-disabled") === "true") return;
      const running = action(element);
      if (running instanceof Promise) busy(element, running);
    });
  }
  return element;
}

/** Disable a button until the promise settles; show its error. */
export async function busy(element, promise) {
  element.setAttribute("aria-disabled", "true");
  element.setAttribute("aria-busy", "true");
  try {
    return await promise;
  } catch (error) {
    if (error?.name !== "AbortError") toast(error.message, "bad");
    return undefined;
  } finally {
    element.removeAttribute("aria-disabled");
    element.removeAttribute("aria-busy");
  }
}

/** A short notice at the edge of the page, announced by screen readers. */
export function toast(text, kind = "") {
  let holder = document.querySelector(".toasts");
  if (!holder) {
    holder = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(holder);
  }
  const element = h("div", { class: `toast ${kind}` }, text);
  holder.append(element);
  setTimeout(() => element.remove(), kind === "bad" ? 8_000 : 4_000);
}

const STATES = {
  0: [t("Succeeded"), "good", "check"],
  1: [t("Pending"), "wait", "clock"],
  2: [t("Failed"), "bad", "cross"],
  3: [t("Pending"), "wait", "clock"],
  4: [t("Cancelled"), "", "dash"],
};

/** The state of a delivery in words; one whose next attempt is due is pending, whatever the last result. */
export function stateOf(delivery) {
  return delivery.nextAttempt ? 3 : delivery.status;
}

export function stateBadge(status) {
  const [word, kind, glyph] = STATES[status] ?? [t("Not sent"), "", "dash"];
  return h("span", { class: `state ${kind}` }, icon(glyph, 14), word);
}

/** The state of an endpoint; `doing` adds whether it is `blocked` or `failing`. */
export function endpointBadge(endpoint, doing = {}) {
  if (endpoint.disabled) return h("span", { class: "state bad" }, icon("dash", 14), t("Disabled"));
  if (doing.blocked) return h("span", { class: "state bad" }, icon("warning", 14), t("Blocked"));
  return endpoint.firstFailureAt || doing.failing
    ? h("span", { class: "state wait" }, icon("warning", 14), t("Failing"))
    : h("span", { class: "state good" }, icon("check", 14), t("Enabled"));
}

/** The response to one attempt, as a badge. */
export function codeBadge(attempt) {
  const good = attempt.status === 0;
  const code = attempt.responseStatusCode || (failureOf(attempt) === "blocked" ? t("Blocked") : t("No response"));
  return h("span", { class: `state ${good ? "good" : "bad"}` }, icon(good ? "check" : "cross", 14), String(code));
}

/** A relative time, kept up to date by `tick`. */
export function when(text, className = "faint") {
  return h("time", { class: className, datetime: text, title: fullTime(text) }, fromNow(text));
}

/** The time left until a future time, counted down by `tick`. */
export function countdown(text) {
  return h("time", { class: "countdown", datetime: text, title: fullTime(text), "data-due": true }, remaining(text));
}

setInterval(() => {
  for (const element of document.querySelectorAll("time[datetime]")) {
    const from = element.hasAttribute("data-due") ? remaining : fromNow;
    const text = from(element.getAttribute("datetime"));
    if (element.textContent !== text) element.textContent = text;
  }
}, 1_000);

let moved = false;
addEventListener("hashchange", () => (moved = true));

/** A link to the previous page within the portal, or else to `href`. */
export function backLink(href, text = t("Back")) {
  const back = (event) => {
    if (!moved) return;
    event.preventDefault();
    history.back();
  };
  return h("a", { class: "back", href, on: { click: back } }, icon("left", 14), text);
}

/** A URL that may wrap at the slashes of its path. */
export function breakable(url) {
  return url.split(/(?<=[^/:]\/|[?&])(?![/?&])/).flatMap((part, place) => (place ? [h("wbr"), part] : [part]));
}

/** Show the API's errors at the fields of that name, or else at `otherwise`. */
export function complainAt(fields, error, otherwise) {
  const { field: place, words } = error.problems?.[0] ?? {};
  (fields[place] ?? otherwise).complain(words ?? error.message);
}

/** A labelled field around a control, with a hint and a place for errors. */
export function field(label, control, { hint, optional = false } = {}) {
  const id = control.id || freshId("field");
  const inner = control.matches("input, select, textarea") ? control : control.querySelector("input, select, textarea");
  inner.id = id;
  const problem = h("p", { class: "problem", id: `${id}-problem`, hidden: true });
  const hintElement = hint && h("p", { class: "hint", id: `${id}-hint` }, hint);
  inner.setAttribute("aria-describedby", [hint && `${id}-hint`, `${id}-problem`].filter(Boolean).join(" "));
  const element = h(
    "div",
    { class: "field" },
    h("div", { class: "row" }, h("label", { for: id }, label), optional && h("span", { class: "optional faint" }, t("optional"))),
    control,
    hintElement,
    problem,
  );
  // An input shows its text as it is: characters that change its direction are named below it.
  const turned = h("p", { class: "hint", hidden: true });
  element.append(turned);
  element.look = () => {
    const named = shownText(inner.value ?? "");
    turned.hidden = named === inner.value;
    fill(turned, !turned.hidden && t("This text has invisible characters that turn it around: {named}", { named }));
  };
  inner.addEventListener("input", element.look);
  element.look();
  element.complain = (text) => {
    problem.textContent = text ?? "";
    problem.hidden = !text;
    if (text) inner.setAttribute("aria-invalid", "true");
    else inner.removeAttribute("aria-invalid");
  };
  return element;
}

export function input(attributes = {}) {
  return h("input", { class: "input", type: "text", autocomplete: "off", spellcheck: "false", ...attributes });
}

/**
 * A native select; `choices` are pairs of value and text. The texts are marked as labels, to stand apart from a page's
 * states.
 */
export function select(choices, { value, ...attributes } = {}) {
  const element = h(
    "select",
    { class: "input", ...attributes },
    choices.map(([key, text]) => h("option", { value: key, label: text })),
  );
  if (value !== undefined) element.value = value;
  return element;
}

/** The language menu; it reads the same in every language. */
export function languageChoice() {
  const choice = h(
    "select",
    { class: "input", "aria-label": t("Language") },
    Object.entries(LANGUAGES).map(([key, name]) => h("option", { value: key, label: name, lang: key })),
  );
  choice.value = language;
  choice.addEventListener("change", () => speak(choice.value));
  return choice;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { class: "unseen", value: text, "aria-hidden": "true" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(t("Copied"));
}

export function copyButton(name, text) {
  return button("", () => copy(typeof text === "function" ? text() : text), { kind: "plain icon", glyph: "copy", name });
}

/**
 * Text in a box with a title and a button that copies it exactly. JSON is highlighted, and indented unless `exact`;
 * then a button indents it.
 */
export function codeBox(title, text, { json = false, exact = false, lines = false, id, more } = {}) {
  const laidOut = json ? prettyText(text) : text;
  const pre = h("pre", { tabindex: "0", role: "region", "aria-label": title, id });
  const foot = h("p", { class: "code-foot" });
  const turn = laidOut !== text && button(t("Formatted"), () => show(turn.getAttribute("aria-pressed") !== "true"), { kind: "plain", size: "tiny" });

  function show(formatted) {
    const whole = formatted ? laidOut : text;
    const begin = whole.slice(0, MAX_SHOWN);
    fill(pre, json && /^\s*[[{]/.test(begin) ? coloured(begin) : begin);
    if (turn) turn.setAttribute("aria-pressed", String(formatted));
    const notes = [
      begin.length < whole.length && t("This is only the beginning. Copy it to have everything."),
      shownText(text) !== text && t("Invisible characters that turn text around are named in brackets. Copy it to have the text as it is."),
    ];
    foot.textContent = notes.filter(Boolean).join(" ");
    foot.hidden = !foot.textContent;
  }

  show(!exact);
  return h(
    "div",
    { class: `code-box ${lines ? "lines" : ""}` },
    h("div", { class: "code-head" }, h("span", { class: "title" }, title), turn, more, copyButton(t("Copy {what}", { what: title.toLowerCase() }), text)),
    pre,
    foot,
  );
}

const TOKENS = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
const MAX_COLOURED = 60_000;
const MAX_SHOWN = 60_000;

function coloured(text) {
  if (text.length > MAX_COLOURED) return [text];
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    if (match.index > end) parts.push(text.slice(end, match.index));
    const kind = match[2] ? "json-key" : match[1] ? "json-text" : "json-other";
    parts.push(h("span", { class: kind }, match[1] ?? match[0]));
    if (match[2]) parts.push(match[2]);
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

export function headersTable(caption, pairs) {
  return h(
    "table",
    { class: "headers" },
    h("caption", {}, h("span", { class: "unseen" }, caption)),
    h("tbody", {}, pairs.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)))),
  );
}

export function notice(kind, glyph, title, ...content) {
  return h("section", { class: `notice ${kind}` }, icon(glyph, 20), h("div", {}, title && h("h2", {}, title), content));
}

export function empty(glyph, title, text, ...more) {
  return h("div", { class: "empty" }, icon(glyph, 32), h("p", { class: "empty-title" }, title), text && h("p", {}, text), more);
}

export function loading(text = t("Loading…")) {
  return h("p", { class: "loading" }, h("span", { class: "spin", "aria-hidden": "true" }), text);
}

export function card(title, content, { actions, note, level = "h2" } = {}) {
  return h(
    "section",
    { class: "card" },
    title && h("div", { class: "card-head" }, h(level, {}, title), actions && h("div", { class: "row-end" }, actions), note && h("p", {}, note)),
    h("div", { class: "card-body" }, content),
  );
}

export function tags(values) {
  return h("div", { class: "tags" }, values.map((value) => h("span", { class: "tag" }, value)));
}

/** A modal dialog; `choices` are [label, value, kind of button], and `chosen` resolves to one of the values. */
export function modal(title, text, choices) {
  const heading = freshId("dialog");
  const words = freshId("dialog");
  const dialog = h(
    "dialog",
    { "aria-labelledby": heading, "aria-describedby": words },
    h("div", { class: "dialog-body" }, h("h2", { id: heading }, title), h("p", { class: "soft", id: words }, text)),
    h(
      "div",
      { class: "dialog-end" },
      choices.map(([label, value, kind]) => button(label, () => dialog.close(value), { kind })),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  const chosen = new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
  return { close: () => dialog.close(), chosen };
}

/** Ask before something that cannot be undone; resolves to whether the user agreed. */
export async function confirm(title, text, agree, kind = "main", refuse = t("Cancel")) {
  const { chosen } = modal(title, text, [[refuse, "", ""], [agree, "yes", kind]]);
  return (await chosen) === "yes";
}

/**
 * Tabs after the pattern of the ARIA guide: arrow keys move between them. `pages` are [key, label, render];
 * `leaving(panel)` resolves to whether the current tab may be left.
 */
export function tabs(pages, current, onChange, leaving = async () => true) {
  const panel = h("div", { role: "tabpanel", id: freshId("panel"), tabindex: "-1" });
  const elements = pages.map(([key, label]) =>
    h("button", { type: "button", role: "tab", class: "tab", id: freshId("tab"), "aria-controls": panel.id, on: { click: () => turn(key) } }, label),
  );
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": t("Sections"), on: { keydown: move } }, elements);
  let shown;

  function show(key) {
    if (key === shown) return;
    shown = key;
    pages.forEach(([each], place) => {
      elements[place].setAttribute("aria-selected", String(each === key));
      elements[place].tabIndex = each === key ? 0 : -1;
      if (each === key) panel.setAttribute("aria-labelledby", elements[place].id);
    });
    onChange(key);
    fill(panel, pages.find(([each]) => each === key)[2]());
  }

  async function turn(key) {
    if (key === shown || !(await leaving(panel))) return;
    show(key);
    elements[pages.findIndex(([each]) => each === key)].focus();
  }

  function move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const from = elements.indexOf(document.activeElement);
    if (!step || from < 0) return;
    event.preventDefault();
    const to = (from + step + pages.length) % pages.length;
    turn(pages[to][0]);
  }

  show(pages.some(([key]) => key === current) ? current : pages[0][0]);
  return [list, panel];
}

const SHARE = 3;
const QUIET_MS = 30_000;
const runs = new Set();
let hears = () => false;

/** Poll rarely while `isOpen` says that the server sends notices of changes. */
export function hearing(isOpen) {
  hears = isOpen;
}

/** Resolves as soon as the page is visible. */
export async function inView() {
  while (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

/** The data shown may be out of date. */
export function somethingChanged() {
  for (const soon of runs) soon();
}

/**
 * Run `work` periodically (`everyMs` may be a function) until the signal aborts; one run at a time, and none while the
 * page is hidden. A slow server is polled less often. If the session ends, it continues with the next one.
 */
export function repeatedly(work, everyMs, signal) {
  let timer;
  let tookMs = 0;
  let again = false;
  let running = false;
  let missed = false;
  let nextAt = 0;
  async function run() {
    clearTimeout(timer);
    if (running) {
      again = true;
      return;
    }
    runs.add(soon);
    running = true;
    again = missed = false;
    const began = performance.now();
    try {
      if (!document.hidden) await work();
    } catch (error) {
      if (error?.name !== "AbortError" && error?.fatal) {
        runs.delete(soon);
        if (error.status === 401) addEventListener("session-resumed", run, { once: true, signal });
        return;
      }
    } finally {
      running = false;
      tookMs = performance.now() - began;
    }
    const pauseMs = Math.max(typeof everyMs === "function" ? everyMs() : everyMs, SHARE * tookMs);
    nextAt = performance.now() + pauseMs;
    if (!signal.aborted) timer = setTimeout(run, again ? 0 : hears() && !missed ? Math.max(pauseMs, QUIET_MS) : pauseMs);
  }
  const soon = () => {
    if (running) missed = true;
    if (running || document.hidden || signal.aborted) return;
    clearTimeout(timer);
    timer = setTimeout(run, Math.max(0, nextAt - performance.now()));
  };
  const wake = () => document.hidden || run();
  document.addEventListener("visibilitychange", wake);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    runs.delete(soon);
    document.removeEventListener("visibilitychange", wake);
  });
  run();
  return run;
}
