// The payload filter of an endpoint, as JSON, and testing it on an example.

import { api, app } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { t } from "./language.js";
import { optionWords } from "./option_words.js";
import { button, field } from "./ui.js";

const area = (rows, placeholder) => h("textarea", { class: "input code", rows: String(rows), spellcheck: "false", autocomplete: "off", placeholder });

/**
 * A field with `value()` (an object or null; undefined while it is not valid JSON) and `put(filter)`, and a test below
 * it. The input of the test is in `beside`, apart from the field: it is no part of the endpoint.
 */
export function payloadFilter() {
  const said = area(3, '{"amount": {"$gt": 100}}');
  const example = area(3, '{"amount": 120}');
  const outcome = h("p", { class: "hint", role: "status" });
  const element = field(t("Filter by payload"), said, {
    optional: true,
    hint: t("JSON. Only messages whose payload is like this are sent."),
  });

  async function tryIt() {
    const [filter, payload] = [parsed(said.value), parsed(example.value)];
    if (!filter) return void fill(outcome, t("Enter a filter as a JSON object."));
    if (payload === undefined) return void fill(outcome, t("Enter an example as JSON."));
    const { passes, problem, rule, place, condition } = await api("POST", app("endpoint", "precheck", "filter"), { body: { filter, payload } });
    if (problem) return void element.complain(optionWords({ rule, place, words: t("This filter is not allowed; the documentation says what may stand in it.") }));
    element.complain();
    if (passes) fill(outcome, icon("check", 14), ` ${t("This example would be sent.")}`);
    else fill(outcome, icon("warning", 14), ` ${t("This example would not be sent: {condition} does not hold.", { condition: JSON.stringify(condition) })}`);
  }

  // Input here changes nothing of the endpoint.
  example.addEventListener("input", (event) => event.stopPropagation());
  example.addEventListener("change", (event) => event.stopPropagation());
  const beside = h(
    "details",
    { class: "aside" },
    h("summary", {}, icon("right", 14), " ", t("Try the filter on an example")),
    h("div", { class: "stack-small" }, field(t("Example payload"), example), h("div", { class: "row" }, button(t("Try the filter"), tryIt, { size: "tiny" })), outcome),
  );

  element.value = () => (said.value.trim() === "" ? null : object(parsed(said.value)));
  element.put = (filter) => (said.value = filter ? JSON.stringify(filter, undefined, 2) : "");
  return { element, beside };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const object = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value : undefined);
