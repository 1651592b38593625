// The operator's list of applications.

import "./operator_room.js";
import { api, upTo } from "./api.js";
import { within } from "./address.js";
import { fill, h, reconcile } from "./dom.js";
import { t } from "./language.js";
import { button, complainAt, empty, field, input, loading, repeatedly, when } from "./ui.js";

const PER_PAGE = 100;
const SEARCHED = 10_000;

/** "#/applications" */
export function applicationsPage(page, signal) {
  const list = h("ul", { class: "list" });
  const wait = loading();
  const none = empty("inbox", t("No applications"), t("An application is one customer of yours; the API makes them."));
  const more = button(t("Show more"), () => ((wanted += PER_PAGE), refresh()), { kind: "plain" });
  const pager = h("div", { class: "pager" }, more);
  const find = input({ type: "search", placeholder: t("Search by name, uid or id"), "aria-label": t("Find applications") });
  let wanted = PER_PAGE;
  let known = [];
  const form = newApplication(signal);
  const open = button(t("New application"), () => ((form.hidden = !form.hidden), open.setAttribute("aria-expanded", String(!form.hidden)), form.hidden || form.querySelector("input").focus()), { kind: "main", glyph: "plus" });
  open.setAttribute("aria-expanded", "false");
  none.hidden = pager.hidden = form.hidden = true;
  fill(
    page,
    h("div", { class: "head" }, h("div", {}, h("h1", {}, t("Applications")), h("p", {}, t("Choose one to see what its owner sees."))), open),
    form,
    h("section", { class: "card", "aria-label": t("List") }, h("div", { class: "filters" }, find), wait, none, list, pager),
  );
  const refresh = repeatedly(
    async () => {
      const searching = Boolean(find.value.trim());
      const { data, done } = await upTo(searching ? SEARCHED : wanted, "app", { order: "descending" }, signal);
      known = data;
      wait.hidden = true;
      pager.hidden = done || searching;
      show();
    },
    10_000,
    signal,
  );
  find.addEventListener("input", () => (show(), refresh()));

  function show() {
    const wanted = find.value.trim().toLowerCase();
    const fitting = known.filter(({ name, uid, id }) => `${name} ${uid ?? ""} ${id}`.toLowerCase().includes(wanted));
    none.hidden = fitting.length > 0 || !wait.hidden;
    none.querySelector("p:last-child").textContent = known.length ? t("No application fits your search.") : t("An application is one customer of yours; the API makes them.");
    reconcile(list, fitting, ({ id }) => id, (application) =>
      h(
        "li",
        { class: "item item-two" },
        h(
          "div",
          {},
          h("a", { class: "item-link", href: within(application.id, "/endpoints") }, application.name),
          h("p", { class: "item-note" }, [application.uid, application.id].filter(Boolean).join(" · ")),
        ),
        when(application.createdAt, "item-when"),
      ),
    );
  }
}

function newApplication(signal) {
  const name = input();
  const uid = input({ class: "input code" });
  const wrapped = { name: field(t("Name"), name), uid: field("uid", uid, { optional: true, hint: t("Your own id of this customer; it can stand in addresses and in the API.") }) };
  async function submit(event) {
    event.preventDefault();
    for (const each of Object.values(wrapped)) each.complain();
    if (!name.value.trim()) return void wrapped.name.complain(t("Give it a name."));
    try {
      const body = { name: name.value.trim(), ...(uid.value.trim() ? { uid: uid.value.trim() } : {}) };
      const { id } = await api("POST", "app", { body, signal });
      location.hash = within(id, "/manage");
    } catch (error) {
      complainAt(wrapped, error, error.status === 409 ? wrapped.uid : wrapped.name);
    }
  }
  return h("section", { class: "card narrow new-one", "aria-label": t("New application") }, h("form", { class: "card-body stack-small", novalidate: true, on: { submit } }, wrapped.name, wrapped.uid, h("div", { class: "row" }, button(t("Create application"), undefined, { submit: true, kind: "main" }))));
}
