// How times, numbers and payloads are written.

// The page is in English, so its dates and numbers are, too; somebody's own kind of English is kept.
const LOCALE = navigator.language?.startsWith("en") ? navigator.language : "en-GB";
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto", style: "short" });
const absolute = new Intl.DateTimeFormat(LOCALE, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});
const day = new Intl.DateTimeFormat(LOCALE, { month: "short", day: "numeric" });
const hour = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const whole = new Intl.NumberFormat(LOCALE);
const SPANS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

export const number = (value) => whole.format(value);
export const dayOf = (date) => day.format(date);
export const hourOf = (date) => hour.format(date);
export const fullTime = (text) => absolute.format(new Date(text));

/** "5 min. ago", "in 2 days". */
export function fromNow(text, now = Date.now()) {
  const seconds = (new Date(text).getTime() - now) / 1_000;
  for (const [unit, size] of SPANS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return Math.abs(seconds) < 3 ? "just now" : relative.format(Math.trunc(seconds), "second");
}

const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
];

/** "15 seconds", "14 days": a span in the largest unit that has a whole number of it. */
export function span(milliseconds) {
  for (const [unit, size] of UNITS) {
    if (milliseconds >= size && milliseconds % size === 0) return plural(milliseconds / size, unit, `${unit}s`);
  }
  return milliseconds < 1_000 ? `${number(milliseconds)} ms` : `${number(milliseconds / 1_000)} seconds`;
}

export function duration(milliseconds) {
  return milliseconds < 1_000 ? `${milliseconds} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}

/** The value of a `datetime-local` field for a moment. */
export function localInput(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The local midnight that a `date` field's day begins with, or the one `later` days after it; days may have 23 or 25 hours. */
export function midnight(text, later = 0) {
  const [year, month, date] = text.split("-").map(Number);
  return new Date(year, month - 1, date + later);
}

export function pretty(value) {
  return JSON.stringify(value, null, 2) ?? "";
}

/** Text as indented JSON if it is JSON, else as it is. */
export function prettyText(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  return indented(text);
}

export function plural(count, one, many) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

// Deeper levels are not indented further: whoever sends a body of a hundred thousand brackets must not stall the page.
const JSON_TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
const DEEPEST_INDENT = 40;

/** JSON laid out with indents, its numbers and strings exactly as they were written. */
export function indented(text) {
  let depth = 0;
  let out = "";
  let before = "";
  const newline = () => `\n${"  ".repeat(Math.min(depth, DEEPEST_INDENT))}`;
  for (const [token] of text.matchAll(JSON_TOKEN)) {
    if (token === "}" || token === "]") {
      depth -= 1;
      out += before === "{" || before === "[" ? token : newline() + token;
    } else {
      if (before === "{" || before === "[" || before === ",") out += newline();
      out += token === ":" ? ": " : token;
      if (token === "{" || token === "[") depth += 1;
    }
    before = token;
  }
  return out;
}
