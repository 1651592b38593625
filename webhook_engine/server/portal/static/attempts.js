// Attempts: one row each, which opens to show the whole exchange.

import { to } from "./address.js";
import { app, eventually, get } from "./api.js";
import { causeOf } from "./causes.js";
import { curlOf } from "./curl.js";
import { fill, h, icon } from "./dom.js";
import { duration, fullTime } from "./format.js";
import { t } from "./language.js";
import { fileOf, payloadBox, readPayload } from "./payload.js";
import { timingBar } from "./timing.js";
import { button, codeBadge, codeBox, copy, headersTable, select, when } from "./ui.js";
import { failureOf } from "./words.js";

/** Fetch the request and response of an attempt, without their bodies. */
export function readExchange(attempt, signal) {
  return eventually(() => get(app("msg", attempt.msgId, "attempt", attempt.id, "exchange"), {}, signal), signal);
}

/** The number of the attempt, in words. */
export function attemptName({ number, numberOf, triggerType }) {
  if (number) return t("Attempt {number} of {total}", { number, total: numberOf });
  return triggerType === 1 ? t("sent by hand") : t("scheduled");
}

const pairs = (headers) => headers.map(({ name, value }) => [name, value]);

/** An attempt; its details are fetched when it is opened. `others()` returns the attempts to compare it with. */
export function attemptLine(attempt, signal, { open = false, others = () => [] } = {}) {
  const body = h("div", { class: "attempt-body" });
  const byHand = attempt.number && attempt.triggerType === 1;
  const details = h(
    "details",
    { class: "attempt", open, id: attempt.id },
    h(
      "summary",
      {},
      icon("right", 14),
      codeBadge(attempt),
      h("span", { class: "small attempt-name" }, attemptName(attempt)),
      h("span", { class: "small soft" }, [duration(attempt.responseDurationMs), byHand && t("sent by hand")].filter(Boolean).join(" · ")),
      when(attempt.timestamp, "attempt-when"),
    ),
    body,
  );
  const show = () => {
    if (!details.open || body.firstChild) return;
    const exchange = h("div", { class: "stack-small" });
    fill(body, causeLine(attempt), answer(attempt), exchange, h("p", { class: "faint" }, `${fullTime(attempt.timestamp)} · ${attempt.id}`));
    readExchange(attempt, signal).then(
      (found) => fill(exchange, wholeExchange(attempt, found, others, signal)),
      (error) => error.name === "AbortError" || fill(exchange, h("p", { class: "problem" }, error.message)),
    );
  };
  details.addEventListener("toggle", show);
  if (open) show();
  return details;
}

function causeLine(attempt) {
  const cause = causeOf({ ...attempt, failure: failureOf(attempt) });
  return cause && h("p", { class: "cause" }, icon("warning", 16), h("span", {}, h("strong", {}, cause.what), cause.todo && ` ${cause.todo}`));
}

function answer(attempt) {
  const answered = attempt.responseStatusCode > 0;
  if (attempt.response && failureOf(attempt) !== "blocked") return codeBox(answered ? t("Response") : t("What went wrong"), attempt.response, { json: true });
  return answered && h("p", { class: "soft small" }, t("The response had no body."));
}

function wholeExchange(attempt, exchange, others, signal) {
  const { requestHeaders, responseHeaders, statusLine } = exchange;
  const blocked = failureOf(attempt) === "blocked" || !requestHeaders.length;
  return [
    h("div", { class: "row" }, !blocked && curlButton(attempt, exchange, signal), linkButton(attempt), comparison(attempt, exchange, others, signal)),
    responseHeaders.length > 0 && fold(t("Response headers"), () => [h("p", { class: "small" }, h("code", {}, statusLine)), headersTable(t("Response headers"), pairs(responseHeaders))]),
    timingBar(exchange.timing),
    !blocked && [
      h("h3", {}, t("Request headers")),
      headersTable(t("Request headers"), pairs(requestHeaders)),
      exchange.signatureHidden && h("p", { class: "hint" }, t("The signature is shown to those who may see the signing secret.")),
      fold(t("Request body"), async () => payloadBox(attempt.msgId, await readPayload(attempt.msgId, signal), t("Request body"))),
    ],
  ];
}

/** A section that is folded until it is opened. */
function fold(title, content) {
  const inside = h("div", { class: "stack-small" });
  const details = h("details", { class: "fold" }, h("summary", {}, icon("right", 14), title), inside);
  details.addEventListener("toggle", async () => {
    if (!details.open || inside.firstChild) return;
    try {
      fill(inside, await content());
    } catch (error) {
      if (error.name !== "AbortError") fill(inside, h("p", { class: "problem" }, error.message));
    }
  });
  return details;
}

function curlButton(attempt, exchange, signal) {
  const act = async () => {
    const sent = await readPayload(attempt.msgId, signal);
    await copy(curlOf(exchange, sent, sent.payload === null ? "" : fileOf(attempt.msgId, sent)));
  };
  return button(t("Copy as curl"), act, { size: "tiny", glyph: "copy" });
}

function linkButton(attempt) {
  const link = () => new URL(to(`/messages/${attempt.msgId}?attempt=${attempt.id}`), location.href).href;
  return button(t("Copy link"), () => copy(link()), { size: "tiny", kind: "plain", glyph: "link", name: t("Copy link to this attempt") });
}

function comparison(attempt, exchange, others, signal) {
  const rest = others().filter(({ id }) => id !== attempt.id);
  if (!rest.length) return undefined;
  const result = h("div", { class: "comparison" });
  const choices = rest.map((each) => [each.id, `${attemptName(each)} · ${each.responseStatusCode || t("No response")} · ${fullTime(each.timestamp)}`]);
  const choice = select([["", t("Compare with…")], ...choices], { class: "input small-input", "aria-label": t("Compare with another attempt") });
  choice.addEventListener("change", async () => {
    const other = rest.find(({ id }) => id === choice.value);
    if (!other) return fill(result);
    try {
      const [{ compared }, second] = await Promise.all([import("./compare.js"), readExchange(other, signal)]);
      return fill(result, compared([attempt, exchange], [other, second]));
    } catch (error) {
      return error.name === "AbortError" || fill(result, h("p", { class: "problem" }, error.message));
    }
  });
  return [choice, result];
}
