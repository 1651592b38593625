// The operator's first page: the current state of all customers, and a search.

import "./operator_room.js";
import { within } from "./address.js";
import { get } from "./api.js";
import { fill, h, icon, reconcile } from "./dom.js";
import { fromNow, fullTime, number } from "./format.js";
import { t } from "./language.js";
import { card, input, loading, repeatedly, when } from "./ui.js";
import { stay } from "./unsaved.js";

const LOOK_MS = 5_000;
const TYPED_MS = 300;
const KINDS = { application: t("Application"), endpoint: t("Endpoint"), message: t("Message") };
const PLACES = {
  application: ({ applicationId }) => within(applicationId, "/endpoints"),
  endpoint: ({ applicationId, id }) => within(applicationId, `/endpoints/${id}`),
  message: ({ applicationId, id }) => within(applicationId, `/messages/${id}`),
};
const LISTS = [
  ["failing", t("Failing endpoints"), t("Nothing has succeeded there for a while; the longest is first."), t("No endpoint is failing.")],
  ["backlogged", t("Backlogs"), t("Where the most is still to be delivered."), t("Nothing is waiting to be delivered.")],
  ["disabled", t("Disabled endpoints"), t("Nothing is sent to them; the latest is first."), t("No endpoint is disabled.")],
];

/** "#/overview", with the search text in the query of the address */
export function overviewPage(page, signal, query = "") {
  const said = new URLSearchParams(query);
  const figures = h("div", { class: "figures" }, loading());
  const lists = LISTS.map(([, title, note, none]) => {
    const list = h("ul", { class: "list" });
    const nothing = h("p", { class: "soft small card-body", hidden: true }, none);
    return { list, nothing, card: h("section", { class: "card", "aria-label": title }, h("div", { class: "card-head over" }, h("h2", {}, title), h("p", {}, note)), nothing, list) };
  });
  const engines = h("div", {});
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  fill(
    page,
    h("div", { class: "head" }, h("div", {}, h("h1", {}, t("Overview")), h("p", {}, t("All your customers, as they are at this moment.")))),
    h("div", { class: "stack" }, finder(said.get("q") ?? "", signal), problem, figures, lists.map((each) => each.card), engines),
  );
  repeatedly(
    async () => {
      try {
        const overview = await get("operator/overview", {}, signal);
        problem.hidden = true;
        showFigures(figures, overview.figures);
        LISTS.forEach(([kind], place) => {
          lists[place].nothing.hidden = overview[kind].length > 0;
          reconcile(lists[place].list, overview[kind], ({ id }) => id, (standing) => row(standing, kind));
        });
        fill(engines, overview.engines.length > 0 && engineCard(overview.engines));
      } catch (error) {
        if (error.name !== "AbortError" && !error.passing) {
          problem.textContent = error.message;
          problem.hidden = false;
        }
        throw error;
      }
    },
    LOOK_MS,
    signal,
  );
}

/** The search box; the search text is in the address. */
function finder(text, signal) {
  const box = input({ type: "search", value: text, maxlength: "500", "aria-label": t("Find anything"), placeholder: t("Id, uid, event id, name, URL or description") });
  const results = h("ul", { class: "list", "aria-label": t("Found") });
  const said = h("p", { class: "soft small card-body", role: "status", hidden: true });
  let typing;
  let asked = 0;
  async function look() {
    clearTimeout(typing);
    const mine = ++asked;
    const wanted = box.value.trim();
    stay(`#/overview${wanted ? `?${new URLSearchParams({ q: wanted })}` : ""}`);
    if (!wanted) {
      fill(results);
      said.hidden = true;
      return;
    }
    try {
      const { data } = await get("operator/find", { text: wanted }, signal);
      if (mine !== asked) return;
      fill(results, data.map(found));
      said.textContent = data.length ? t("{n} found", { n: data.length }) : t("Nothing of this id, and nothing with this text in its name, URL or description.");
    } catch (error) {
      if (error.name === "AbortError" || mine !== asked) return;
      said.textContent = error.message;
    }
    said.hidden = false;
  }
  box.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(look, TYPED_MS);
  });
  const form = h("form", { role: "search", class: "filters", "aria-label": t("Find anything"), on: { submit: (event) => (event.preventDefault(), look()) } }, h("div", { class: "finder" }, icon("find", 16), box));
  if (text) look();
  return h("section", { class: "card anything", "aria-label": t("Search") }, form, said, results);
}

function found(each) {
  return h(
    "li",
    { class: "item item-two" },
    h(
      "div",
      {},
      h("a", { class: `item-link ${each.kind === "application" ? "" : "code"}`, href: PLACES[each.kind](each) }, each.title),
      h("p", { class: "item-note" }, [each.kind !== "application" && each.applicationName, each.detail, each.id].filter(Boolean).join(" · ")),
    ),
    h("span", { class: "tag" }, KINDS[each.kind]),
  );
}

function showFigures(element, figures) {
  const oldest = figures.oldestPendingAt;
  const counted = [
    [t("Failing endpoints"), number(figures.failingEndpoints), figures.failingEndpoints ? "wait" : ""],
    [t("Disabled endpoints"), number(figures.disabledEndpoints), figures.disabledEndpoints ? "bad" : ""],
    [t("Pending deliveries"), figures.pendingMore ? t("over {count}", { count: figures.pendingDeliveries }) : number(figures.pendingDeliveries), ""],
    [t("Oldest pending"), oldest ? h("time", { datetime: oldest, title: fullTime(oldest) }, fromNow(oldest)) : "–", ""],
    [t("Messages a minute"), figures.messagesMore ? t("over {count}", { count: figures.messagesPerMinute }) : number(figures.messagesPerMinute), ""],
    [t("Applications"), number(figures.applications), ""],
    [t("Endpoints"), number(figures.endpoints), ""],
  ];
  fill(
    element,
    h(
      "dl",
      { class: "figure-list" },
      counted.map(([name, value, kind]) => h("div", { class: `figure ${kind}` }, h("dt", {}, name), h("dd", {}, value))),
    ),
  );
}

function row(standing, kind) {
  const since = { failing: standing.firstFailureAt, disabled: standing.disabledAt, backlogged: standing.oldestPendingAt }[kind];
  const words = { failing: t("first failure"), disabled: t("disabled"), backlogged: t("oldest from") }[kind];
  return h(
    "li",
    { class: "item item-standing" },
    h(
      "div",
      {},
      h("a", { class: "item-link code", href: within(standing.applicationUid ?? standing.applicationId, `/endpoints/${standing.id}`) }, standing.url),
      h("p", { class: "item-note" }, [standing.applicationName, standing.description].filter(Boolean).join(" · ")),
    ),
    h("span", { class: "small soft" }, standing.pending > 0 && t("{n} pending", { n: standing.pending })),
    h("span", { class: "item-when" }, since && [words, " ", when(since, "")]),
  );
}

function engineCard(engines) {
  const alive = ({ leaseSeconds }) => leaseSeconds > 0;
  return card(
    t("Engines"),
    h(
      "div",
      { class: "table-wrap", tabindex: "0", role: "region", "aria-label": t("Engines") },
      h(
        "table",
        { class: "plain-table" },
        h("thead", {}, h("tr", {}, [t("Host"), t("Version"), t("Started"), t("Lease"), t("Holds")].map((name) => h("th", { scope: "col" }, name)))),
        h(
          "tbody",
          {},
          engines.map((each) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, `${each.host} · ${each.pid}`),
              h("td", {}, each.version),
              h("td", {}, when(each.startedAt, "")),
              h("td", {}, h("span", { class: `state ${alive(each) ? "good" : "bad"}` }, icon(alive(each) ? "check" : "cross", 14), alive(each) ? t("alive") : t("ended"))),
              h("td", {}, `${number(Math.round(each.share * 1_000) / 10)} %`),
            ),
          ),
        ),
      ),
    ),
    { note: t("They share the database; each holds a part of the endpoints.") },
  );
}
