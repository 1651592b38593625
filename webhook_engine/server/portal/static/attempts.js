// Attempts: each one a line that opens to show the request and the answer.

import { app, eventually, get } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { duration, fullTime } from "./format.js";
import { t } from "./language.js";
import { codeBadge, codeBox, headersTable, when } from "./ui.js";
import { FAILURES, failureOf } from "./words.js";

/** One attempt; what it sent is read when somebody opens it. */
export function attemptLine(attempt, signal, open = false) {
  const body = h("div", { class: "attempt-body" });
  const details = h(
    "details",
    { class: "attempt", open },
    h(
      "summary",
      {},
      icon("right", 14),
      codeBadge(attempt),
      h("span", { class: "small soft" }, [duration(attempt.responseDurationMs), attempt.triggerType === 1 ? "sent by hand" : "scheduled"].join(" · ")),
      when(attempt.timestamp, "attempt-when"),
    ),
    body,
  );
  const show = () => {
    if (!details.open || body.firstChild) return;
    const headers = h("div", {});
    const failure = failureOf(attempt);
    const answered = attempt.responseStatusCode > 0;
    fill(
      body,
      !answered && h("p", {}, FAILURES[failure] ?? t("There was no answer.")),
      attempt.response && failure !== "blocked" && codeBox(answered ? t("Response") : t("What went wrong"), attempt.response, { json: true }),
      answered && !attempt.response && h("p", { class: "soft small" }, t("The response had no body.")),
      headers,
      h("p", { class: "faint" }, `${fullTime(attempt.timestamp)} · ${attempt.id}`),
    );
    eventually(() => get(app("msg", attempt.msgId, "attempt", attempt.id, "headers"), {}, signal), signal).then(
      (answer) => {
        const sent = failure === "blocked" ? [] : Object.entries(answer.headers);
        if (sent.length) fill(headers, h("h3", {}, t("Request headers")), headersTable(t("Request headers"), sent));
      },
      (error) => error.name === "AbortError" || fill(headers, h("p", { class: "problem" }, error.message)),
    );
  };
  details.addEventListener("toggle", show);
  if (open) show();
  return details;
}
