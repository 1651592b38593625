// The operator's list of applications.

import { get } from "./api.js";
import { fill, h, reconcile } from "./dom.js";
import { keep, session } from "./session.js";
import { button, empty, input, loading, repeatedly, when } from "./ui.js";

/** "#/applications" */
export function applicationsPage(page, signal) {
  const list = h("ul", { class: "list" });
  const wait = loading();
  const none = empty("inbox", "No applications", "An application is one customer of yours; the API makes them.");
  const more = button("Show more", () => ((pages += 1), refresh()), { kind: "plain" });
  const pager = h("div", { class: "pager" }, more);
  const find = input({ type: "search", placeholder: "Search by name, uid or id", "aria-label": "Find applications" });
  let pages = 1;
  let known = [];
  none.hidden = pager.hidden = true;
  find.addEventListener("input", show);
  fill(
    page,
    h("div", { class: "head" }, h("div", {}, h("h1", {}, "Applications"), h("p", {}, "Choose one to see what its owner sees."))),
    h("section", { class: "card", "aria-label": "List" }, h("div", { class: "filters" }, find), wait, none, list, pager),
  );
  const refresh = repeatedly(
    async () => {
      const read = [];
      let iterator;
      let done = false;
      for (let each = 0; each < pages && !done; each += 1) {
        const answer = await get("app", { limit: 100, order: "descending", iterator }, signal);
        read.push(...answer.data);
        ({ iterator, done } = answer);
      }
      known = read;
      wait.hidden = true;
      pager.hidden = done;
      show();
    },
    10_000,
    signal,
  );

  function show() {
    const wanted = find.value.trim().toLowerCase();
    const fitting = known.filter(({ name, uid, id }) => `${name} ${uid ?? ""} ${id}`.toLowerCase().includes(wanted));
    none.hidden = fitting.length > 0 || !wait.hidden;
    reconcile(list, fitting, ({ id }) => id, (application) =>
      h(
        "li",
        { class: "item item-message" },
        h(
          "div",
          {},
          h("a", { class: "item-link", href: "#/endpoints", on: { click: () => choose(application) } }, application.name),
          h("p", { class: "item-note" }, [application.uid, application.id].filter(Boolean).join(" · ")),
        ),
        h("span", {}),
        when(application.createdAt, "item-when"),
      ),
    );
  }
}

function choose({ id }) {
  keep({ ...session(), application: id });
  dispatchEvent(new Event("application-chosen"));
}
