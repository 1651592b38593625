// The form of an endpoint, to add or edit one.

import { to } from "./address.js";
import { api, app, eventually, get } from "./api.js";
import { authenticationFields } from "./endpoint_authentication.js";
import { clearDraft, draft, keepDraft } from "./draft.js";
import { eventTypeChoice, eventTypes } from "./event_types.js";
import { fill, h, icon } from "./dom.js";
import { MORE_NAMES, moreFields } from "./endpoint_more.js";
import { pieces, t } from "./language.js";
import { optionWords } from "./option_words.js";
import { payloadFilter } from "./payload_filter.js";
import { deliveryRules } from "./rules.js";
import { root, session } from "./session.js";
import { backLink, busy, button, confirm, field, input, loading, notice, toast } from "./ui.js";
import { mark } from "./unsaved.js";
import { MASK, MASKED_WORDS, URL_WORDS } from "./words.js";

// The form field for a member of the API.
const FIELDS = { eventTypes: "types", throttleRate: "rate", timeoutByEventType: "byEventType", retryScheduleByEventType: "byEventType" };
const NAMES = { url: t("Endpoint URL"), description: t("Description"), eventTypes: t("Event types"), channels: t("Channels"), throttleRate: t("Rate limit"), filter: t("Filter by payload"), authentication: t("Authentication"), ...MORE_NAMES, timeoutByEventType: MORE_NAMES.byEventType, retryScheduleByEventType: MORE_NAMES.byEventType };
const MORE = ["timeout", "retrySchedule", "timeoutByEventType", "retryScheduleByEventType", "method", "contentType", "userAgent", "query", "compression", "transformation", "tls"];
const NOTHING = { url: "", description: "", eventTypes: null, channels: null, throttleRate: null, filter: null, authentication: null, ...Object.fromEntries(MORE.map((name) => [name, null])) };
const UNORDERED = ["eventTypes", "channels"];
const SECRET = { authentication: null, tls: null };
const MAX_RATE = 65_535;
const JUDGE_MS = 250;
const READ_MS = 700;
const PASSABLE = ["private", "unresolvable"];

/** The choices of the form, and their limits. */
export async function formChoices() {
  const [types, rules, { names }] = await Promise.all([eventTypes(session().token), deliveryRules(), get(app("transformations"))]);
  return { types, rules, formats: names };
}

/** The form for a new endpoint, with an earlier draft; `save(values)` sends it. */
function newEndpointForm(choices, typedBefore, save) {
  const inputs = endpointInputs(choices, typedBefore ?? NOTHING, true);
  const form = framed(inputs, t("Create endpoint"), h("a", { class: "button", href: to("/endpoints"), on: { click: clearDraft } }, t("Cancel")), async (values) => {
    await save(values);
    delete form.dataset.typed;
  });
  // The draft survives a reload. If the session ends, the page stays open because of the unsaved input.
  form.addEventListener("typed", () => {
    form.dataset.typed = "";
    // Secrets are never stored.
    keepDraft({ ...inputs.values(), ...SECRET });
  });
  return form;
}

/**
 * The form for an existing endpoint. `read()` fetches it, `save(changes)` saves changes and returns the whole endpoint,
 * which `saved(endpoint)` gets. The form's `meanwhile(endpoint)` merges changes made elsewhere.
 */
export function endpointForm(choices, endpoint, { read, save, saved, disabled = false }) {
  const inputs = endpointInputs(choices, fieldsOf(endpoint), false);
  const told = h("div", { class: "stack-small", role: "status" });
  // Changes made elsewhere that this page has not applied yet: fields with their values.
  const theirs = new Map();
  let base = fieldsOf(endpoint);
  let version = Date.parse(endpoint.updatedAt);
  let saving = false;

  const changes = () => differing(inputs.values(), base);

  /** Merge the current endpoint; returns whether it conflicts with unsaved input. */
  function meanwhile(now) {
    if (Date.parse(now.updatedAt) < version) return false; // a response older than the one already shown
    version = Date.parse(now.updatedAt);
    const news = differing(fieldsOf(now), base);
    const mine = changes();
    base = fieldsOf(now);
    let odds = false;
    for (const [name, value] of Object.entries(news)) {
      if (name in mine && same(name, mine[name], value)) continue;
      if (name in mine) odds = true;
      else inputs.put(name, value);
      theirs.set(name, value);
    }
    show();
    return odds;
  }

  function show() {
    const mine = changes();
    mark(form, Object.keys(mine).length > 0);
    fill(
      told,
      theirs.size > 0 &&
        notice(
          "wait",
          "warning",
          t("This endpoint was changed meanwhile"),
          h("ul", { class: "stack-small" }, [...theirs].map(([name, value]) => h("li", { class: "small" }, name in mine ? both(name, value, mine[name]) : t("{field}: somebody changed it to {value}. It stays so.", { field: NAMES[name], value: written(value) })))),
          h("div", { class: "row" }, button(t("Understood"), () => (theirs.clear(), show()), { size: "tiny" })),
        ),
    );
  }

  function both(name, value, mine) {
    const take = () => {
      inputs.put(name, value);
      theirs.delete(name);
      show();
    };
    return [
      h("p", {}, t("{field}: somebody changed it to {value}. You have {mine}, which takes its place when you save.", { field: NAMES[name], value: written(value), mine: written(mine) })),
      button(t("Take {value}", { value: written(value) }), take, { size: "tiny", name: t("Take {value} as {field}", { value: written(value), field: NAMES[name] }) }),
    ];
  }

  const form = framed(
    inputs,
    t("Save changes"),
    disabled && h("p", { class: "hint" }, t("Your access allows looking, not changing.")),
    async () => {
      if (meanwhile(await read())) {
        told.scrollIntoView({ block: "center", behavior: "smooth" });
        throw new Error(t("Somebody changed the same as you meanwhile. Compare both above, then save again."));
      }
      const mine = changes();
      if (!Object.keys(mine).length) return void toast(t("There is nothing to save"));
      if (base.eventTypes && mine.eventTypes === null) {
        const text = t("No event type is chosen any more: this endpoint would then receive every event, of types to come, too.");
        if (!(await confirm(t("Receive all event types?"), text, t("Receive all")))) return;
      }
      saving = true;
      try {
        const answer = await save(mine);
        const now = fieldsOf(answer);
        for (const name of Object.keys(mine)) {
          base[name] = now[name];
          theirs.delete(name);
          inputs.put(name, now[name]);
        }
        meanwhile(answer);
        saved(answer);
      } finally {
        saving = false;
      }
      toast(t("Saved; it applies from the next attempt"));
    },
    disabled,
  );
  form.prepend(told);
  form.addEventListener("typed", show);
  form.meanwhile = (now) => saving || meanwhile(now);
  return form;
}

/** The form's values of an endpoint. */
function fieldsOf(endpoint) {
  return Object.fromEntries(Object.entries(NOTHING).map(([name, nothing]) => [name, endpoint[name] ?? nothing]));
}

/** A text that is equal for values with the same meaning. */
function plain(name, value) {
  if (UNORDERED.includes(name) && value) return JSON.stringify([...value].sort());
  const object = value !== null && typeof value === "object" && !Array.isArray(value);
  return JSON.stringify(object ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)) : value);
}

const same = (name, one, other) => plain(name, one) === plain(name, other);

/** The values that changed. */
function differing(values, before) {
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => !same(name, value, before[name])));
}

function written(value) {
  if (value?.type) return value.type; // the type of authentication, without the rest
  if (value?.certificate || value?.ca) return Object.keys(value).join(", ");
  if (Array.isArray(value)) return value.join(", ");
  if (value !== null && typeof value === "object") return JSON.stringify(value);
  return value === null || value === "" ? t("nothing") : t("“{value}”", { value: String(value) });
}

/** The inputs, with `values()`, `put(name, value)` and error messages at the fields. */
function endpointInputs({ types, rules, formats }, start, adding) {
  const url = input({ type: "url", class: "input code", placeholder: "https://example.com/webhooks", required: true, inputmode: "url" });
  const description = input({ maxlength: "4096" });
  const channels = input();
  const rate = input({ type: "number", min: "1", max: String(MAX_RATE), inputmode: "numeric" });
  const choice = eventTypeChoice(types, start.eventTypes, { wildcards: true });
  const { element: filter, beside: tryFilter } = payloadFilter();
  const authentication = authenticationFields();
  const more = moreFields(rules, formats);
  const play = h("p", { class: "hint", role: "status" });
  const usePlay = button(t("Use Play"), () => fillIn(url, play).then(() => url.dispatchEvent(new Event("change", { bubbles: true }))), { glyph: "play" });
  const fields = {
    url: field(t("Endpoint URL"), adding ? h("div", { class: "input-row" }, url, usePlay) : url, {
      hint: adding ? t("Where we send events, by HTTP POST. No server yet? Play gives you a temporary URL.") : undefined,
    }),
    description: field(t("Description"), description, { optional: true, hint: t("For yourself: what this endpoint is for.") }),
    channels: field(t("Channels"), channels, { optional: true, hint: t("Separated by commas. Only messages of these channels are sent.") }),
    rate: field(t("Rate limit"), rate, { optional: true, hint: t("Messages per second, at most.") }),
    types: choice,
    filter,
    authentication,
    ...more.fields,
  };
  const warning = h("p", { class: "warned", role: "status" });
  let judged;
  let warnedOf;
  let warnedAt;
  let toldOf;
  let waiting;
  url.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => judge(url.value.trim()), JUDGE_MS);
  });
  // The host name is looked up once the URL is complete.
  url.addEventListener("change", () => judge(url.value.trim(), true));

  /** Check a URL, and show warnings; the result is dropped if the URL has changed meanwhile. */
  async function judge(address, lookUp = false) {
    if (!parses(address)) {
      fill(warning);
      return undefined;
    }
    if (judged?.address !== address || (lookUp && !judged.lookUp)) {
      judged = { address, lookUp, problem: api("POST", app("endpoint", "precheck", "url"), { body: { url: address, lookUp } }) };
    }
    let problem;
    try {
      ({ problem } = await judged.problem);
    } catch {
      judged = undefined; // ignored: the server checks again on saving
      return undefined;
    }
    if (address !== url.value.trim()) return problem;
    const passable = PASSABLE.includes(problem);
    if (passable && warnedOf !== address) [warnedOf, warnedAt] = [address, performance.now()];
    fill(warning, passable && [icon("warning", 14), ` ${URL_WORDS[problem]}`]);
    return problem;
  }
  const put = {
    url: (value) => (url.value = value),
    description: (value) => (description.value = value),
    channels: (value) => (channels.value = value?.join(", ") ?? ""),
    throttleRate: (value) => (rate.value = value ?? ""),
    eventTypes: (value) => choice.put(value),
    filter: (value) => filter.put(value),
    authentication: authentication.put,
  };
  const putIn = (name, value) => {
    if (put[name]) put[name](value);
    else if (MORE.includes(name)) more.put(name, value);
    for (const each of Object.values(fields)) each.look();
  };
  for (const [name, value] of Object.entries(start)) putIn(name, value);

  function values() {
    const listed = channels.value.split(",").map((each) => each.trim()).filter(Boolean);
    return {
      url: url.value.trim(),
      description: description.value,
      eventTypes: choice.value(),
      channels: listed.length ? listed : null,
      throttleRate: rate.value === "" ? null : Number(rate.value),
      filter: filter.value() ?? null,
      authentication: authentication.value(),
      ...more.values(),
    };
  }

  /** All checks that need no server; the server has the last word. */
  function check() {
    const { url: address, throttleRate } = values();
    for (const each of Object.values(fields)) each.complain();
    if (!address) fields.url.complain(t("Enter the URL that events are sent to."));
    else if (!parses(address)) fields.url.complain(t("This is not a URL. It must be http or https, like https://example.com/webhooks."));
    else if (!/^https?:/i.test(address)) fields.url.complain(t("The URL must be http or https, like https://example.com/webhooks."));
    if (filter.value() === undefined) fields.filter.complain(t("Enter a filter as a JSON object."));
    authentication.check();
    more.check();
    const possible = throttleRate === null || (Number.isInteger(throttleRate) && throttleRate >= 1 && throttleRate <= MAX_RATE);
    if (!possible || rate.validity.badInput) fields.rate.complain(t("Enter a whole number from 1 to 65535, or nothing for no limit."));
  }

  /** Checks that need the server; returns whether to continue. A warning is shown once, and may then be ignored. */
  async function approved() {
    const address = url.value.trim();
    clearTimeout(waiting);
    if (address === start.url && !adding) return true;
    const pressedAt = performance.now();
    const problem = await judge(address, true);
    if (problem === "https_only" || problem === "invalid") fields.url.complain(URL_WORDS[problem]);
    if (!PASSABLE.includes(problem)) return !problem;
    if (toldOf === address || (warnedOf === address && warnedAt < pressedAt - READ_MS)) return true;
    toldOf = address;
    warning.append(` ${t("To save it all the same, press the button again.")}`);
    return false;
  }

  /** Show an error of the API at its field; returns whether the form has one for it. */
  function complain(problem) {
    const at = fields[FIELDS[problem.field] ?? problem.field];
    const masked = problem.field === "url" && url.value.includes(MASK) && !problem.rule;
    at?.complain(masked ? MASKED_WORDS : optionWords(problem), problem.place);
    return Boolean(at);
  }

  return {
    values,
    check,
    approved,
    complain,
    reveal: more.reveal,
    put: putIn,
    elements: [h("div", { class: "stack-small" }, fields.url, warning, adding && play), fields.description, choice, h("div", { class: "pair" }, fields.channels, fields.rate), h("div", { class: "stack-small" }, filter, tryFilter), authentication, more],
  };
}

/** The inputs as a form with a button; `send(values)` sends them, and its errors are shown at the fields. */
function framed(inputs, label, beside, send, disabled = false) {
  const submit = button(label, undefined, { kind: "main", submit: true, disabled });
  const problem = h("p", { class: "problem", role: "alert" });
  const invalid = () => form.querySelector("[aria-invalid=true]");

  async function run() {
    problem.textContent = "";
    inputs.check();
    try {
      if (!invalid() && (await inputs.approved())) await send(inputs.values());
    } catch (error) {
      if (error.name === "AbortError") return;
      const told = (error.problems ?? []).map(inputs.complain);
      if (!told.includes(true)) problem.textContent = error.message;
    }
    inputs.reveal();
    invalid()?.focus();
  }

  const submitted = (event) => {
    event.preventDefault();
    if (!submit.getAttribute("aria-disabled")) busy(submit, run());
  };
  const typed = () => form.dispatchEvent(new Event("typed"));
  const form = h(
    "form",
    { class: "form", novalidate: true, on: { submit: submitted, input: typed, change: typed } },
    h("fieldset", { class: "form", disabled }, inputs.elements, problem, h("div", { class: "row" }, submit, beside)),
  );
  return form;
}

function parses(address) {
  try {
    return Boolean(new URL(address).host || !/^https?:/i.test(address));
  } catch {
    return false;
  }
}

async function fillIn(url, play) {
  const response = await fetch(new URL("play/", root), { method: "POST", credentials: "omit" }).catch(() => {
    throw new Error(t("The server cannot be reached. Check your connection, and try again."));
  });
  if (!response.ok) throw new Error(response.status === 429 ? t("Too many inboxes were asked for; try again in a moment.") : t("Play is not available here."));
  const inbox = await response.json();
  url.value = inbox.url;
  fill(
    play,
    icon("check", 14),
    " ",
    pieces("A temporary inbox is ready: {watch}.", {
      watch: h("a", { href: new URL(`play/view/${encodeURIComponent(inbox.token)}`, root).href, target: "_blank", rel: "noopener noreferrer" }, t("watch what arrives")),
    }),
  );
}

/** "/endpoints/new" */
export function newEndpointPage(page, signal) {
  const content = h("div", { class: "card-body" }, loading());
  fill(
    page,
    backLink(to("/endpoints")),
    h("div", { class: "head" }, h("div", {}, h("h1", {}, t("New endpoint")), h("p", {}, t("Tell us where to send events, and which ones.")))),
    h("section", { class: "card narrow" }, content),
  );
  eventually(formChoices, signal).then(
    (choices) => {
      if (signal.aborted) return;
      let tried;
      let onceKey;
      const save = async (values) => {
        const now = JSON.stringify(values);
        if (now !== tried) onceKey = crypto.getRandomValues(new Uint32Array(4)).join("-");
        tried = now;
        const created = await api("POST", app("endpoint"), { body: values, onceKey });
        clearDraft();
        toast(t("The endpoint was created"));
        location.hash = to(`/endpoints/${created.id}`);
      };
      fill(content, newEndpointForm(choices, draft(), save));
    },
    (error) => error.name === "AbortError" || fill(content, h("p", { class: "problem" }, error.message)),
  );
}
