// Advanced options of an endpoint: timeouts and retries, the format of its requests, and certificates.

import { fill, h, icon } from "./dom.js";
import { milliseconds, plainDuration, seconds } from "./durations.js";
import { tlsFields } from "./endpoint_tls.js";
import { span } from "./format.js";
import { t } from "./language.js";
import { button, field, input, select } from "./ui.js";

/** The labels of these fields, by their names in the API. */
export const MORE_NAMES = {
  timeout: t("Seconds for a response"),
  retrySchedule: t("Retries"),
  byEventType: t("Other times for some event types"),
  method: t("Method"),
  contentType: t("Content type"),
  userAgent: t("User agent"),
  query: t("Parameters of the URL"),
  compression: t("Compression"),
  transformation: t("Format"),
  tls: t("Certificates"),
};
const FORMATS = { slack: "Slack", discord: "Discord", teams: "Microsoft Teams" };
const OWN = "own";
const NONE = "none";

/**
 * The fields, folded while none is set. `rules` are the delivery settings of the server, `formats` the names of the
 * available transformations.
 */
export function moreFields(rules, formats) {
  const controls = {
    timeout: input({ type: "number", min: "0", max: String(rules.endpointMaxTimeoutMs / 1_000), step: "any", inputmode: "decimal", placeholder: String(rules.timeoutMs / 1_000) }),
    retries: select([["", t("As usual: {delays}", { delays: rules.retrySchedule.join(", ") || t("none") })], [OWN, t("After own delays")], [NONE, t("None: one attempt only")]]),
    delays: input({ class: "input code", placeholder: "5s, 5m, 2h" }),
    method: select([["", "POST"], ["PUT", "PUT"], ["PATCH", "PATCH"]]),
    contentType: input({ class: "input code", placeholder: "application/json" }),
    userAgent: input({ class: "input code" }),
    query: h("textarea", { class: "input code", rows: "2", spellcheck: "false", autocomplete: "off", placeholder: "source=shop" }),
    compression: select([["", t("None")], ["gzip", t("gzip, of large payloads")]]),
    transformation: select([["", t("As the event catalogue shows it")], ...formats.map((name) => [name, FORMATS[name] ?? name])]),
  };
  const bounds = { longest: span(rules.endpointMaxTimeoutMs), most: String(rules.endpointMaxRetries), span: span(rules.endpointMaxRetryTimeMs) };
  const tls = tlsFields();
  const byEventType = perEventType();
  const fields = {
    timeout: field(MORE_NAMES.timeout, controls.timeout, { optional: true, hint: t("At most {longest}.", bounds) }),
    retrySchedule: field(MORE_NAMES.retrySchedule, controls.retries),
    method: field(MORE_NAMES.method, controls.method),
    contentType: field(MORE_NAMES.contentType, controls.contentType, { optional: true, hint: t("Of messages that have none of their own.") }),
    userAgent: field(MORE_NAMES.userAgent, controls.userAgent, { optional: true }),
    query: field(MORE_NAMES.query, controls.query, { optional: true, hint: t("One a line, like source=shop; they are added to the URL.") }),
    compression: field(MORE_NAMES.compression, controls.compression, { hint: t("Compressed payloads are signed as they are sent: verify first, then unpack.") }),
    transformation: field(MORE_NAMES.transformation, controls.transformation, { hint: t("Messages can be sent as a chat takes them.") }),
    byEventType,
    tls,
  };
  const delays = field(t("Delays before each retry"), controls.delays, { hint: t("Separated by commas, with s, m, h or d. At most {most}, and {span} in all.", bounds) });
  const element = h(
    "details",
    { class: "more" },
    h("summary", {}, icon("right", 14), h("span", {}, t("More settings"), h("span", { class: "hint" }, t("Times and retries, what requests are like, certificates")))),
    h(
      "div",
      { class: "form" },
      h("p", { class: "part" }, t("Times and retries")),
      h("div", { class: "pair" }, fields.timeout, fields.retrySchedule),
      delays,
      byEventType,
      h("p", { class: "part" }, t("Requests")),
      h("div", { class: "pair" }, fields.method, fields.contentType),
      h("div", { class: "pair" }, fields.userAgent, fields.compression),
      fields.query,
      formats.length > 0 && fields.transformation,
      h("p", { class: "part" }, t("Certificates")),
      tls,
    ),
  );

  /** Rows of event types with their own timeouts. */
  function perEventType() {
    const rows = h("div", { class: "stack-small" });
    const problem = h("p", { class: "problem", hidden: true });
    const group = h(
      "div",
      { class: "stack-small", role: "group", "aria-label": MORE_NAMES.byEventType },
      h("p", { class: "label" }, MORE_NAMES.byEventType),
      h("p", { class: "hint" }, t("An event type, or a group like invoice.*. What is left empty is as for all.")),
      rows,
      problem,
      h("div", { class: "row" }, button(t("Add event type"), () => (add("", "", undefined).querySelector("input").focus(), changed()), { size: "tiny", glyph: "plus" })),
    );
    const changed = () => group.dispatchEvent(new Event("change", { bubbles: true }));

    function add(name, timeout, schedule) {
      const type = input({ class: "input code", value: name, placeholder: "invoice.*", "aria-label": t("Event type") });
      const time = input({ type: "number", min: "0", step: "any", inputmode: "decimal", value: timeout, placeholder: MORE_NAMES.timeout, "aria-label": MORE_NAMES.timeout });
      const kind = select([["", t("Retries as usual")], [OWN, t("After own delays")], [NONE, t("None: one attempt only")]], { value: schedule === undefined ? "" : schedule.length ? OWN : NONE, "aria-label": MORE_NAMES.retrySchedule });
      const own = input({ class: "input code", value: schedule?.join(", ") ?? "", placeholder: "5s, 5m, 2h", "aria-label": t("Delays before each retry") });
      const take = button(t("Remove"), () => (row.remove(), changed()), { size: "tiny", kind: "plain" });
      const row = h("div", { class: "times" }, type, time, kind, own, take);
      const show = () => {
        own.hidden = kind.value !== OWN;
        take.setAttribute("aria-label", t("Remove {what}", { what: type.value || t("Event type") }));
      };
      row.addEventListener("input", show);
      show();
      row.said = () => ({ type: type.value.trim(), time: time.value, kind: kind.value, delays: listed(own.value) });
      row.controls = { type, time, own };
      rows.append(row);
      return row;
    }

    const said = () => [...rows.children].map((row) => row.said());
    group.put = (timeouts, schedules) => {
      const names = new Set([...Object.keys(timeouts ?? {}), ...Object.keys(schedules ?? {})]);
      const text = JSON.stringify([timeouts, schedules]);
      if (text === JSON.stringify([group.timeouts(), group.schedules()]) && said().every(({ type }) => type)) return;
      fill(rows);
      for (const name of names) add(name, seconds(timeouts?.[name]), schedules?.[name]);
    };
    const mapping = (pairs) => (pairs.length ? Object.fromEntries(pairs) : null);
    group.timeouts = () => mapping(said().filter(({ type, time }) => type && time !== "").map(({ type, time }) => [type, plainDuration(`${time}s`)]));
    group.schedules = () => mapping(said().filter(({ type, kind }) => type && kind).map(({ type, kind, delays: own }) => [type, kind === NONE ? [] : own]));
    group.complain = (text) => {
      problem.hidden = !text;
      problem.textContent = text ?? "";
      for (const row of rows.children) for (const control of Object.values(row.controls)) control.removeAttribute("aria-invalid");
      if (text) rows.querySelector("input")?.setAttribute("aria-invalid", "true");
    };
    group.check = () => {
      group.complain();
      const names = said().map(({ type }) => type);
      for (const row of rows.children) {
        const { type, time, kind, delays: own } = row.said();
        const wrong = !type || names.filter((name) => name === type).length > 1 ? "type" : time !== "" && !timely(time) ? "time" : kind === OWN && troubleOf(own) ? "own" : time === "" && !kind ? "time" : undefined;
        if (!wrong) continue;
        group.complain(wrong === "type" ? t("Enter each event type once.") : wrong === "own" ? troubleOf(own) : t("Enter seconds, at most {longest}, or other retries.", bounds));
        rows.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
        row.controls[wrong].setAttribute("aria-invalid", "true");
        return;
      }
    };
    group.look = () => {};
    return group;
  }

  const timely = (text) => Number(text) >= 0.001 && Number(text) * 1_000 <= rules.endpointMaxTimeoutMs;

  /** What is wrong with the delays, if anything. */
  function troubleOf(each) {
    const long = each.map(milliseconds);
    if (!long.length || long.includes(undefined)) return t("Enter delays with their units, separated by commas, like 5s, 5m, 2h.");
    const most = long.reduce((sum, one) => sum + one, 0) > rules.endpointMaxRetryTimeMs || long.length > rules.endpointMaxRetries;
    return most ? t("At most {most} delays are allowed, and {span} in all.", bounds) : undefined;
  }

  function show() {
    delays.hidden = controls.retries.value !== OWN;
  }

  const retrySchedule = () => ({ [OWN]: listed(controls.delays.value), [NONE]: [] })[controls.retries.value] ?? null;
  const chosen = (name) => controls[name].value.trim() || null;
  const put = {
    timeout: (value) => (controls.timeout.value = seconds(value)),
    retrySchedule: (value) => {
      controls.retries.value = value ? (value.length ? OWN : NONE) : "";
      controls.delays.value = value?.join(", ") ?? "";
    },
    timeoutByEventType: (value) => byEventType.put(value, byEventType.schedules()),
    retryScheduleByEventType: (value) => byEventType.put(byEventType.timeouts(), value),
    query: (value) => (controls.query.value = Object.entries(value ?? {}).map((pair) => pair.join("=")).join("\n")),
    tls: tls.put,
  };

  controls.retries.addEventListener("change", show);
  element.fields = fields;
  element.values = () => ({
    timeout: controls.timeout.value === "" ? null : plainDuration(`${controls.timeout.value}s`),
    retrySchedule: retrySchedule(),
    timeoutByEventType: byEventType.timeouts(),
    retryScheduleByEventType: byEventType.schedules(),
    method: chosen("method"),
    contentType: chosen("contentType"),
    userAgent: chosen("userAgent"),
    query: parameters(controls.query.value),
    compression: chosen("compression"),
    transformation: chosen("transformation"),
    tls: tls.value(),
  });
  element.put = (name, value) => {
    if (put[name]) put[name](value);
    else if (controls[name]) controls[name].value = value ?? "";
    if (value !== null && value !== undefined) element.open = true;
    show();
  };
  element.check = () => {
    for (const one of [...Object.values(fields), delays]) one.complain();
    if (controls.timeout.validity.badInput || (controls.timeout.value !== "" && !timely(controls.timeout.value))) fields.timeout.complain(t("Enter seconds, at most {longest}, or nothing.", bounds));
    const trouble = controls.retries.value === OWN && troubleOf(listed(controls.delays.value));
    if (trouble) delays.complain(trouble);
    if (parameters(controls.query.value) === undefined) fields.query.complain(t("Enter one parameter a line, like source=shop; at most 20."));
    byEventType.check();
    tls.check();
  };
  /** Unfold a field with an error. */
  element.reveal = () => {
    if (element.querySelector("[aria-invalid=true]")) element.open = true;
  };
  show();
  return element;
}

const listed = (text) => text.split(",").map((each) => plainDuration(each.replace(/\s/g, ""))).filter(Boolean);

/** The parameters by name; null if there are none, undefined if a line is invalid. */
function parameters(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  if (!lines.length) return null;
  if (lines.length > 20 || !lines.every((line) => line.indexOf("=") > 0)) return undefined;
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}
