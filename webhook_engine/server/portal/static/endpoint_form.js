// The form of an endpoint: to add one, and to change it.

import { api, app } from "./api.js";
import { eventTypeChoice, eventTypes } from "./event_types.js";
import { fill, h, icon } from "./dom.js";
import { root, session } from "./session.js";
import { busy, button, field, input, loading, toast } from "./ui.js";

const FIELDS = { url: "url", description: "description", channels: "channels", throttle_rate: "rate", throttleRate: "rate" };

/** A form for `endpoint`, or for a new one; `save(values)` sends it. */
export function endpointForm(types, endpoint, label, save, { cancel, disabled = false } = {}) {
  const url = input({ type: "url", class: "input code", placeholder: "https://example.com/webhooks", value: endpoint?.url ?? "", required: true, inputmode: "url" });
  const description = input({ value: endpoint?.description ?? "", maxlength: "4096" });
  const channels = input({ value: endpoint?.channels?.join(", ") ?? "" });
  const rate = input({ type: "number", min: "1", max: "65535", value: endpoint?.throttleRate ?? "", inputmode: "numeric" });
  const choice = eventTypeChoice(types, endpoint?.eventTypes ?? []);
  const play = h("p", { class: "hint", role: "status" });
  const usePlay = button("Use Play", () => fillIn(url, play), { glyph: "play" });
  const fields = {
    url: field("Endpoint URL", endpoint ? url : h("div", { class: "input-row" }, url, usePlay), {
      hint: endpoint ? undefined : "Where we send events by HTTP POST. No server yet? Play gives you a temporary one.",
    }),
    description: field("Description", description, { optional: true, hint: "For yourself: what this endpoint is for." }),
    channels: field("Channels", channels, { optional: true, hint: "Separated by commas. Only messages of these channels are sent." }),
    rate: field("Rate limit", rate, { optional: true, hint: "Messages per second, at most." }),
  };
  const submit = button(label, undefined, { kind: "main", submit: true, disabled });
  const problem = h("p", { class: "problem", role: "alert" });

  async function send() {
    const values = {
      url: url.value.trim(),
      description: description.value,
      eventTypes: choice.value(),
      channels: channels.value.split(",").map((each) => each.trim()).filter(Boolean),
      throttleRate: rate.value === "" ? null : Number(rate.value),
    };
    if (!values.channels.length) values.channels = null;
    for (const each of Object.values(fields)) each.complain();
    problem.textContent = "";
    if (!values.url) return fields.url.complain("Enter the URL that events are sent to.");
    try {
      await save(values);
    } catch (error) {
      let told = false;
      for (const [name, message] of error.problems ?? []) {
        const at = fields[FIELDS[name]];
        if (at) at.complain(message);
        told ||= Boolean(at);
      }
      if (!told) problem.textContent = error.message;
      form.querySelector("[aria-invalid=true]")?.focus();
    }
    return undefined;
  }

  const form = h(
    "form",
    { class: "form", novalidate: true, on: { submit: (event) => (event.preventDefault(), submit.getAttribute("aria-disabled") || busy(submit, send())) } },
    h("div", { class: "stack-small" }, fields.url, play),
    fields.description,
    choice,
    h("div", { class: "pair" }, fields.channels, fields.rate),
    problem,
    h("div", { class: "row" }, submit, cancel && h("a", { class: "button", href: cancel }, "Cancel")),
  );
  return form;
}

async function fillIn(url, play) {
  const response = await fetch(new URL("play/", root), { method: "POST", credentials: "omit" });
  if (!response.ok) throw new Error("Play is not available here.");
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
    h("a", { class: "back", href: "#/endpoints" }, icon("left", 14), "Back"),
    h("div", { class: "head" }, h("div", {}, h("h1", {}, "New endpoint"), h("p", {}, "Tell us where to send events, and which ones."))),
    h("section", { class: "card" }, content),
  );
  eventTypes(signal, session().token).then(
    (types) => {
      if (signal.aborted) return;
      const save = async (values) => {
        const created = await api("POST", app("endpoint"), { body: values });
        toast("The endpoint was created");
        location.hash = `#/endpoints/${created.id}`;
      };
      fill(content, endpointForm(types.filter(({ archived }) => !archived), undefined, "Create endpoint", save, { cancel: "#/endpoints" }));
    },
    (error) => fill(content, h("p", { class: "problem" }, error.message)),
  );
}
