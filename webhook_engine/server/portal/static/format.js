// Formats times, numbers and payloads.

import { locale, t } from "./language.js";

const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
const absolute = new Intl.DateTimeFormat(locale, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});
const day = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });
const hour = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const whole = new Intl.NumberFormat(locale);
const tenths = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
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
  return Math.abs(seconds) < 3 ? t("just now") : relative.format(Math.trunc(seconds), "second");
}

/** "in 4 min 32 s": the time left until a future time, to the second. */
export function remaining(text, now = Date.now()) {
  const seconds = Math.ceil((new Date(text).getTime() - now) / 1_000);
  if (seconds <= 0) return t("now");
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return t("in {days} d {hours} h", { days, hours });
  if (hours) return t("in {hours} h {minutes} min", { hours, minutes });
  return minutes ? t("in {minutes} min {seconds} s", { minutes, seconds: seconds % 60 }) : t("in {seconds} s", { seconds });
}

const UNITS = [
  [(n) => t("{n} days", { n }), 86_400_000],
  [(n) => t("{n} hours", { n }), 3_600_000],
  [(n) => t("{n} minutes", { n }), 60_000],
  [(n) => t("{n} seconds", { n }), 1_000],
];

/** "15 seconds", "14 days": a span in the largest unit that divides it. */
export function span(milliseconds) {
  for (const [unit, size] of UNITS) {
    if (milliseconds >= size && milliseconds % size === 0) return unit(milliseconds / size);
  }
  return milliseconds < 1_000 ? `${number(milliseconds)} ms` : t("{n} seconds", { n: milliseconds / 1_000 });
}

export function duration(milliseconds) {
  return milliseconds < 1_000 ? `${number(milliseconds)} ms` : `${tenths.format(milliseconds / 1_000)} s`;
}

/** The value of a `datetime-local` field for a date. */
export function localInput(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The local midnight at the start of a `date` field's day, or `later` days after it; days may have 23 or 25 hours. */
export function midnight(text, later = 0) {
  const [year, month, date] = text.split("-").map(Number);
  return new Date(year, month - 1, date + later);
}

export function pretty(value) {
  return JSON.stringify(value, null, 2) ?? "";
}

/** JSON text indented; other text unchanged. */
export function prettyText(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  return indented(text);
}

// Deeper levels are not indented further, so that a body of a hundred thousand brackets cannot stall the page.
const JSON_TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
const DEEPEST_INDENT = 40;

/** JSON with indentation, its numbers and strings exactly as written. */
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
