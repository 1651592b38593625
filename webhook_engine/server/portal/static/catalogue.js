// The event catalogue: what can be sent, with schemas and examples.

import { eventually } from "./api.js";
import { eventTypes, exampleOf } from "./event_types.js";
import { fill, h, icon } from "./dom.js";
import { pretty } from "./format.js";
import { t } from "./language.js";
import { session } from "./session.js";
import { codeBox, empty, input, loading } from "./ui.js";

/** "#/catalogue" */
export function cataloguePage(page, signal) {
  const content = h("div", {}, loading());
  const find = input({ type: "search", placeholder: t("Search…"), "aria-label": t("Find event types") });
  fill(
    page,
    h("div", { class: "head" }, h("div", {}, h("h1", {}, t("Event catalogue")), h("p", {}, t("The kinds of events that you can receive, and what they look like.")))),
    h("section", { class: "card", "aria-label": t("List") }, h("div", { class: "filters" }, find), content),
  );
  eventually(() => eventTypes(session().token), signal).then(
    (types) => {
      if (signal.aborted) return;
      const shown = types.filter(({ archived }) => !archived);
      const none = empty("inbox", t("No event types"), shown.length ? t("Nothing in the catalogue fits your search.") : t("The catalogue is empty. Endpoints receive every event all the same."));
      const rows = shown.map((type) => ({ row: entry(type), words: `${type.name} ${type.description}`.toLowerCase() }));
      const filter = () => {
        const wanted = find.value.trim().toLowerCase();
        for (const { row, words } of rows) row.hidden = !words.includes(wanted);
        none.hidden = rows.some(({ row }) => !row.hidden);
      };
      find.addEventListener("input", filter);
      filter();
      fill(content, none, h("ul", { class: "list catalogue" }, rows.map(({ row }) => row)));
    },
    (error) => error.name === "AbortError" || fill(content, h("p", { class: "problem card-body" }, error.message)),
  );
}

function entry(type) {
  const body = h("div", { class: "catalogue-body" });
  const details = h(
    "details",
    {},
    h(
      "summary",
      {},
      icon("right", 14),
      h(
        "span",
        { class: "entry" },
        h("span", { class: "name" }, type.name),
        type.deprecated && h("span", { class: "state wait" }, t("Deprecated")),
        h("span", { class: "what" }, type.description),
      ),
    ),
    body,
  );
  details.addEventListener("toggle", () => {
    if (!details.open || body.firstChild) return;
    const example = exampleOf(type);
    const schema = type.schemas?.["1"];
    fill(
      body,
      example !== undefined && codeBox(t("Example"), pretty(example), { json: true }),
      schema && codeBox(t("Schema"), pretty(schema), { json: true }),
      !schema && h("p", { class: "soft" }, t("This event type has no schema.")),
    );
  });
  return h("li", {}, details);
}
