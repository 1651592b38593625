// Attempts: each one a line that opens to show the request and the answer.

import { app, eventually, get } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { duration, fullTime } from "./format.js";
import { codeBadge, codeBox, headersTable, when } from "./ui.js";

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
    fill(
      body,
      attempt.response
        ? codeBox(attempt.responseStatusCode ? "Response" : "What went wrong", attempt.response, { json: true })
        : h("p", { class: "soft small" }, "The response had no body."),
      h("div", {}, h("h3", {}, "Request headers"), headers),
      h("p", { class: "faint" }, `${fullTime(attempt.timestamp)} · ${attempt.id}`),
    );
    eventually(() => get(app("msg", attempt.msgId, "attempt", attempt.id, "headers"), {}, signal), signal).then(
      (answer) => fill(headers, headersTable("Request headers", Object.entries(answer.headers))),
      (error) => error.name === "AbortError" || fill(headers, h("p", { class: "problem" }, error.message)),
    );
  };
  details.addEventListener("toggle", show);
  if (open) show();
  return details;
}
