// The form of an endpoint: to add one, and to change it.

import { api, app, eventually } from "./api.js";
import { clearDraft, draft, keepDraft } from "./draft.js";
import { eventTypeChoice, eventTypes } from "./event_types.js";
import { fill, h, icon } from "./dom.js";
import { root, session } from "./session.js";
import { backLink, busy, button, field, input, loading, toast } from "./ui.js";

const FIELDS = { url: "url", description: "description", channels: "channels", throttle_rate: "rate", throttleRate: "rate" };
const MAX_RATE = 65_535;

/** A form for `endpoint`, or for a new one with the values that were typed before; `save(values)` sends it. */
export function endpointForm(types, endpoint, label, save, { cancel, disabled = false, adding = false } = {}) {
  const url = input({ type: "url", class: "input code", placeholder: "https://example.com/webhooks", value: endpoint?.url ?? "", required: true, inputmode: "url" });
  const description = input({ value: endpoint?.description ?? "", maxlength: "4096" });
  const channels = input({ value: endpoint?.channels?.join(", ") ?? "" });
  const rate = input({ type: "number", min: "1", max: "65535", value: endpoint?.throttleRate ?? "", inputmode: "numeric" });
  const choice = eventTypeChoice(types, endpoint?.eventTypes ?? []);
  const play = h("p", { class: "hint", role: "status" });
  const usePlay = button("Use Play", () => fillIn(url, play).then(typed), { glyph: "play" });
  const fields = {
    url: field("Endpoint URL", adding ? h("div", { class: "input-row" }, url, usePlay) : url, {
      hint: adding ? "Where we send events, by HTTP POST. No server yet? Play gives you a temporary URL." : undefined,
    }),
    description: field("Description", description, { optional: true, hint: "For yourself: what this endpoint is for." }),
    channels: field("Channels", channels, { optional: true, hint: "Separated by commas. Only messages of these channels are sent." }),
    rate: field("Rate limit", rate, { optional: true, hint: "Messages per second, at most." }),
  };
  const submit = button(label, undefined, { kind: "main", submit: true, disabled });
  const problem = h("p", { class: "problem", role: "alert" });

  function values() {
    const listed = channels.value.split(",").map((each) => each.trim()).filter(Boolean);
    return {
      url: url.value.trim(),
      description: description.value,
      eventTypes: choice.value(),
      channels: listed.length ? listed : null,
      throttleRate: rate.value === "" ? null : Number(rate.value),
    };
  }

  function typed() {
    form.dataset.typed = "";
    if (adding) keepDraft(values());
  }

  /** What can be told without the server, all at once; the server has the last word. */
  function checked({ url: address, throttleRate }) {
    for (const each of Object.values(fields)) each.complain();
    problem.textContent = "";
    if (!address) fields.url.complain("Enter the URL that events are sent to.");
    else if (!parses(address)) fields.url.complain("This is not a URL. It must be http or https, like https://example.com/webhooks.");
    else if (!/^https?:/i.test(address)) fields.url.complain("The URL must be http or https, like https://example.com/webhooks.");
    const possible = throttleRate === null || (Number.isInteger(throttleRate) && throttleRate >= 1 && throttleRate <= MAX_RATE);
    if (!possible || rate.validity.badInput) fields.rate.complain(`Enter a whole number from 1 to ${MAX_RATE}, or nothing for no limit.`);
    return !form.querySelector("[aria-invalid=true]");
  }

  async function send() {
    const wanted = values();
    try {
      if (checked(wanted)) {
        await save(wanted);
        delete form.dataset.typed;
      }
    } catch (error) {
      let told = false;
      for (const [name, message] of error.problems ?? []) {
        const at = fields[FIELDS[name]];
        if (at) at.complain(message);
        told ||= Boolean(at);
      }
      if (!told) problem.textContent = error.message;
    }
    form.querySelector("[aria-invalid=true]")?.focus();
  }

  const submitted = (event) => {
    event.preventDefault();
    if (!submit.getAttribute("aria-disabled")) busy(submit, send());
  };
  const form = h(
    "form",
    { class: "form", novalidate: true, on: { submit: submitted, input: typed, change: typed } },
    h(
      "fieldset",
      { class: "form", disabled },
      h("div", { class: "stack-small" }, fields.url, adding && play),
      fields.description,
      choice,
      h("div", { class: "pair" }, fields.channels, fields.rate),
      problem,
      h(
        "div",
        { class: "row" },
        submit,
        cancel && h("a", { class: "button", href: cancel, on: { click: clearDraft } }, "Cancel"),
        disabled && h("p", { class: "hint" }, "Your access allows looking, not changing."),
      ),
    ),
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
    throw new Error("The server cannot be reached. Check your connection, and try again.");
  });
  if (!response.ok) throw new Error(response.status === 429 ? "Too many inboxes were asked for; try again in a moment." : "Play is not available here.");
  const inbox = await response.json();
  url.value = inbox.url;
  fill(
    play,
    icon("check", 14),
    " A temporary inbox is ready: ",
    h("a", { href: new URL(`play/view/${encodeURIComponent(inbox.token)}`, root).href, target: "_blank", rel: "noopener noreferrer" }, "watch what arrives"),
    ".",
  );
}

/** "#/endpoints/new" */
export function newEndpointPage(page, signal) {
  const content = h("div", { class: "card-body" }, loading());
  fill(
    page,
    backLink("#/endpoints"),
    h("div", { class: "head" }, h("div", {}, h("h1", {}, "New endpoint"), h("p", {}, "Tell us where to send events, and which ones."))),
    h("section", { class: "card narrow" }, content),
  );
  eventually(() => eventTypes(session().token), signal).then(
    (types) => {
      if (signal.aborted) return;
      let tried;
      let onceKey;
      const save = async (values) => {
        const now = JSON.stringify(values);
        if (now !== tried) onceKey = crypto.getRandomValues(new Uint32Array(4)).join("-");
        tried = now;
        const created = await api("POST", app("endpoint"), { body: values, onceKey });
        clearDraft();
        toast("The endpoint was created");
        location.hash = `#/endpoints/${created.id}`;
      };
      fill(content, endpointForm(types.filter(({ archived }) => !archived), draft(), "Create endpoint", save, { cancel: "#/endpoints", adding: true }));
    },
    (error) => error.name === "AbortError" || fill(content, h("p", { class: "problem" }, error.message)),
  );
}
