// Two attempts side by side, with their differences.

import { attemptName } from "./attempts.js";
import { h } from "./dom.js";
import { duration, fullTime } from "./format.js";
import { t } from "./language.js";
import { phasesOf } from "./timing.js";
import { codeBox } from "./ui.js";

const NOTHING = "–";

function rowsOf(attempt, exchange) {
  const rows = new Map([
    [t("Time"), fullTime(attempt.timestamp)],
    [t("URL"), attempt.url],
    [t("Status"), exchange.statusLine || (attempt.responseStatusCode ? String(attempt.responseStatusCode) : t("No response"))],
    [t("Duration"), duration(attempt.responseDurationMs)],
  ]);
  for (const [, name, part] of phasesOf(exchange.timing)) rows.set(name, duration(Math.round(part)));
  for (const { name, value } of exchange.requestHeaders) rows.set(t("Request: {name}", { name: name.toLowerCase() }), value);
  for (const { name, value } of exchange.responseHeaders) rows.set(t("Response: {name}", { name: name.toLowerCase() }), value);
  return rows;
}

/**
 * A table of the differences between two attempts, each given as [attempt, exchange], and both responses if they
 * differ.
 */
export function compared(...both) {
  const [one, other] = both.map(([attempt, exchange]) => rowsOf(attempt, exchange));
  const names = [...new Set([...one.keys(), ...other.keys()])];
  const different = names.filter((name) => one.get(name) !== other.get(name));
  const [mine, theirs] = both.map(([attempt]) => attempt);
  const equal = names.length - different.length;
  return h(
    "section",
    { "aria-label": t("Comparison"), class: "stack-small" },
    h(
      "div",
      { class: "table-wrap", tabindex: "0", role: "region", "aria-label": t("Differences") },
      h(
        "table",
        { class: "headers compared" },
        h("caption", {}, h("span", { class: "unseen" }, t("Differences"))),
        h("thead", {}, h("tr", {}, h("td", {}), both.map(([attempt]) => h("th", { scope: "col" }, attemptName(attempt))))),
        h("tbody", {}, different.map((name) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, one.get(name) ?? NOTHING), h("td", {}, other.get(name) ?? NOTHING)))),
      ),
    ),
    h("p", { class: "hint" }, t("{n} more are the same.", { n: equal })),
    mine.response === theirs.response
      ? h("p", { class: "hint" }, t("Both responses have the same body."))
      : h("div", { class: "columns even" }, both.map(([attempt]) => codeBox(t("Response of {attempt}", { attempt: attemptName(attempt) }), attempt.response, { json: true }))),
  );
}
