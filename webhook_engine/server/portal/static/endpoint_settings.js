// The tab Settings of an endpoint: its form, its headers, and deleting it.

import { to } from "./address.js";
import { api, app, eventually, get } from "./api.js";
import { endpointForm, formChoices } from "./endpoint_form.js";
import { fill, h, reconcile } from "./dom.js";
import { t } from "./language.js";
import { orderAsked, orderSettings } from "./order.js";
import { may } from "./session.js";
import { authenticationCard, scriptCard } from "./transformation.js";
import { discard, mark, unsaved } from "./unsaved.js";
import { button, busy, card, confirm, field, input, loading, toast } from "./ui.js";

/** The tab; its `meanwhile(endpoint)` merges changes made elsewhere. */
export function settingsTab(endpoint, signal, changed) {
  const content = h("div", {}, loading());
  const path = app("endpoint", endpoint.id);
  const read = () => get(path, {}, signal);
  const save = (changes) => api("PATCH", path, { body: changes, signal });
  let form;
  let latest = endpoint;
  eventually(formChoices, signal).then(
    (choices) => {
      if (signal.aborted) return;
      form = endpointForm(choices, latest, { read, save, saved: changed, disabled: !may("ManageEndpoint") });
      fill(content, form);
    },
    (error) => error.name === "AbortError" || fill(content, h("p", { class: "problem" }, error.message)),
  );
  const order = h("div", {}, orderSettings(endpoint, signal, changed));
  const trial = h("div", {}, authenticationCard(endpoint, signal));
  const element = h("div", { class: "stack narrow" }, card(t("Endpoint"), content), order, headersCard(endpoint, signal), trial, scriptCard(endpoint, signal), may("ManageEndpoint") && endCard(endpoint, changed));
  element.meanwhile = (now) => {
    // Saved authentication can be tested now.
    if (JSON.stringify(now.authentication) !== JSON.stringify(latest.authentication)) fill(trial, authenticationCard(now, signal));
    if (orderAsked(now) !== orderAsked(latest) && !unsaved(order)) fill(order, orderSettings(now, signal, changed));
    latest = now;
    form?.meanwhile(now);
  };
  return element;
}

function headersCard(endpoint, signal) {
  const list = h("ul", { class: "list boxed" });
  const none = h("p", { class: "soft small" }, t("No headers of your own are sent."));
  const name = input({ class: "input code", autocapitalize: "off" });
  const value = input({ class: "input code" });
  const wrapped = field(t("Header name"), name);
  const path = app("endpoint", endpoint.id, "headers");
  const add = button(t("Add header"), undefined, { submit: true });

  async function read() {
    const { headers, sensitive } = await get(path, {}, signal);
    const items = [...Object.entries(headers), ...sensitive.map((each) => [each, t(t("•••••••• (kept secret)"))])];
    items.sort(([a], [b]) => a.localeCompare(b));
    none.hidden = items.length > 0;
    list.hidden = !none.hidden;
    reconcile(list, items, ([key]) => key, ([key, shown]) =>
      h(
        "li",
        { class: "item item-two" },
        h("div", {}, h("code", {}, key), h("p", { class: "item-note", title: shown }, shown)),
        may("ManageEndpoint") && button(t("Remove"), () => change(key, null), { size: "tiny", kind: "plain", name: t("Remove header {name}", { name: key }) }),
      ),
    );
  }

  async function change(key, to) {
    await api("PATCH", path, { body: { headers: { [key]: to } }, signal });
    await read();
  }

  async function submit() {
    wrapped.complain();
    if (!name.value.trim()) {
      wrapped.complain(t("Enter the name of the header, like X-Team."));
      return void name.focus();
    }
    try {
      await change(name.value.trim(), value.value);
      name.value = value.value = "";
      mark(form, false);
      name.focus();
    } catch (error) {
      wrapped.complain(error.message);
      name.focus();
    }
    return undefined;
  }

  const form = h(
    "form",
    { class: "form", on: { submit: (event) => (event.preventDefault(), busy(add, submit())), input: () => mark(form, Boolean(name.value || value.value)) } },
    h("div", { class: "pair" }, wrapped, field(t("Header value"), value)),
    h("div", { class: "row" }, add),
  );
  list.hidden = none.hidden = true;
  eventually(read, signal).catch(() => {});
  return card(t("Custom headers"), h("div", { class: "stack" }, none, list, may("ManageEndpoint") && form), {
    note: t("Sent with every request to this endpoint. Values of headers like Authorization are never shown again."),
  });
}

function endCard(endpoint, changed) {
  const disable = async () => {
    const text = t("Nothing more is sent to it, and what waits for a retry becomes failed. You can enable it again at any time.");
    if (!(await confirm(t("Disable this endpoint?"), text, t("Disable")))) return;
    changed(await api("PATCH", app("endpoint", endpoint.id), { body: { disabled: true } }));
    toast(t("The endpoint is disabled"));
  };
  const remove = async () => {
    const text = t("It gets no more events, and its signing secret is gone. This cannot be undone.");
    if (!(await confirm(t("Delete this endpoint?"), text, t("Delete"), "danger"))) return;
    await api("DELETE", app("endpoint", endpoint.id));
    toast(t("The endpoint was deleted"));
    discard();
    location.hash = to("/endpoints");
  };
  return card(
    t("Stop deliveries"),
    h("div", { class: "row" }, !endpoint.disabled && button(t("Disable endpoint"), disable, {}), button(t("Delete endpoint"), remove, { kind: "danger" })),
  );
}
