// The tab Settings of an endpoint: its form, its headers, and the end of it.

import { api, app, eventually, get } from "./api.js";
import { endpointForm } from "./endpoint_form.js";
import { eventTypes } from "./event_types.js";
import { fill, h, reconcile } from "./dom.js";
import { may, session } from "./session.js";
import { button, busy, card, confirm, field, input, loading, toast } from "./ui.js";

export function settingsTab(endpoint, signal, changed) {
  const form = h("div", {}, loading());
  eventually(() => eventTypes(session().token), signal).then(
    (known) => {
      if (signal.aborted) return;
      const save = async (values) => {
        changed(await api("PATCH", app("endpoint", endpoint.id), { body: values, signal }));
        toast("Saved; it applies from the next attempt");
      };
      fill(form, endpointForm(known.filter(({ archived }) => !archived), endpoint, "Save changes", save, { disabled: !may("ManageEndpoint") }));
    },
    (error) => error.name === "AbortError" || fill(form, h("p", { class: "problem" }, error.message)),
  );
  return h("div", { class: "stack narrow" }, card("Endpoint", form), headersCard(endpoint, signal), may("ManageEndpoint") && endCard(endpoint, changed));
}

function headersCard(endpoint, signal) {
  const list = h("ul", { class: "list boxed" });
  const none = h("p", { class: "soft small" }, "No headers of your own are sent.");
  const name = input({ class: "input code", autocapitalize: "off" });
  const value = input({ class: "input code" });
  const wrapped = field("Header name", name);
  const path = app("endpoint", endpoint.id, "headers");
  const add = button("Add header", undefined, { submit: true });

  async function read() {
    const { headers, sensitive } = await get(path, {}, signal);
    const items = [...Object.entries(headers), ...sensitive.map((each) => [each, "•••••••• (kept secret)"])];
    items.sort(([a], [b]) => a.localeCompare(b));
    none.hidden = items.length > 0;
    list.hidden = !none.hidden;
    reconcile(list, items, ([key]) => key, ([key, shown]) =>
      h(
        "li",
        { class: "item item-two" },
        h("div", {}, h("code", {}, key), h("p", { class: "item-note", title: shown }, shown)),
        may("ManageEndpoint") && button("Remove", () => change(key, null), { size: "tiny", kind: "plain", name: `Remove header ${key}` }),
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
      wrapped.complain("Enter the name of the header, like X-Team.");
      return void name.focus();
    }
    try {
      await change(name.value.trim(), value.value);
      name.value = value.value = "";
      delete form.dataset.typed;
      name.focus();
    } catch (error) {
      wrapped.complain(error.message);
      name.focus();
    }
    return undefined;
  }

  const form = h(
    "form",
    { class: "form", on: { submit: (event) => (event.preventDefault(), busy(add, submit())), input: () => (form.dataset.typed = "") } },
    h("div", { class: "pair" }, wrapped, field("Header value", value)),
    h("div", { class: "row" }, add),
  );
  list.hidden = none.hidden = true;
  eventually(read, signal).catch(() => {});
  return card("Custom headers", h("div", { class: "stack" }, none, list, may("ManageEndpoint") && form), {
    note: "Sent with every request to this endpoint. Values of headers like Authorization are never shown again.",
  });
}

function endCard(endpoint, changed) {
  const disable = async () => {
    const text = "Nothing more is sent to it, and what waits for a retry becomes failed. You can enable it again at any time.";
    if (!(await confirm("Disable this endpoint?", text, "Disable"))) return;
    changed(await api("PATCH", app("endpoint", endpoint.id), { body: { disabled: true } }));
    toast("The endpoint is disabled");
  };
  const remove = async () => {
    const text = "It gets no more events, and its signing secret is gone. This cannot be undone.";
    if (!(await confirm("Delete this endpoint?", text, "Delete", "danger"))) return;
    await api("DELETE", app("endpoint", endpoint.id));
    toast("The endpoint was deleted");
    location.hash = "#/endpoints";
  };
  return card(
    "Stop deliveries",
    h("div", { class: "row" }, !endpoint.disabled && button("Disable endpoint", disable, {}), button("Delete endpoint", remove, { kind: "danger" })),
  );
}
