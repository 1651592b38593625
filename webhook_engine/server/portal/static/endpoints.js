// The list of endpoints, with their recent results.

import { to } from "./address.js";
import { app, get, upTo } from "./api.js";
import { fill, h, reconcile, svg } from "./dom.js";
import { latestOf } from "./doing.js";
import { number } from "./format.js";
import { t } from "./language.js";
import { may } from "./session.js";
import { breakable, button, empty, endpointBadge, input, loading, repeatedly } from "./ui.js";

const PER_PAGE = 50;
const SEARCHED = 5_000;
const WORTH_SEARCHING = 10;
const AT_ONCE = 4;
const RATE_MS = 20_000;

/** "#/endpoints" */
export function endpointsPage(page, signal) {
  const list = h("ul", { class: "list" });
  const wait = loading();
  const none = welcome();
  const unfit = empty("hook", t("No endpoint fits"), t("Nothing in the URLs, descriptions and event types fits your search."));
  const more = button(t("Show more"), () => ((wanted += PER_PAGE), refresh()), { kind: "plain" });
  const pager = h("div", { class: "pager" }, more);
  const problem = h("p", { class: "problem card-body", role: "alert", hidden: true });
  const find = input({ type: "search", placeholder: t("Search by URL, description or event type"), "aria-label": t("Find endpoints") });
  const finder = h("div", { class: "filters" }, find);
  const rates = new Map();
  const inView = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) inView.add(target.dataset.id);
      else inView.delete(target.dataset.id);
    }
    readRates();
  });
  let known = [];
  let wanted = PER_PAGE;
  let reading = false;
  for (const element of [none, unfit, pager, finder]) element.hidden = true;
  signal.addEventListener("abort", () => watch.disconnect());
  fill(
    page,
    h(
      "div",
      { class: "head" },
      h("div", {}, h("h1", {}, t("Endpoints")), h("p", {}, t("Where your events are sent."))),
      h(
        "div",
        { class: "row" },
        may("ManageEndpoint") && button(t("Add endpoint"), () => (location.hash = to("/endpoints/new")), { kind: "main", glyph: "plus" }),
        h("a", { class: "button plain", href: to("/alerts") }, t("Alerts")),
      ),
    ),
    h("section", { class: "card", "aria-label": t("List") }, finder, wait, problem, none, unfit, list, pager),
  );

  const refresh = repeatedly(
    async () => {
      try {
        const { data, done } = await upTo(find.value.trim() ? SEARCHED : wanted, app("endpoint"), {}, signal);
        known = data;
        problem.hidden = wait.hidden = true;
        finder.hidden = done && known.length <= WORTH_SEARCHING && !find.value;
        pager.hidden = done || Boolean(find.value.trim());
        show();
        await readRates();
      } catch (error) {
        if (error.name !== "AbortError" && !error.passing) {
          problem.textContent = error.message;
          problem.hidden = false;
          wait.hidden = true;
        }
        throw error;
      }
    },
    5_000,
    signal,
  );
  find.addEventListener("input", () => (show(), refresh()));

  function show() {
    const words = find.value.trim().toLowerCase();
    const fitting = known.filter((each) => [each.url, each.description, ...(each.eventTypes ?? [])].join(" ").toLowerCase().includes(words));
    none.hidden = known.length > 0 || !wait.hidden;
    unfit.hidden = fitting.length > 0 || !none.hidden || !wait.hidden;
    reconcile(list, fitting, ({ id }) => id, row, (endpoint) => JSON.stringify([endpoint, rates.get(endpoint.id)?.text]));
  }

  function row(endpoint, before) {
    if (before) watch.unobserve(before);
    const element = h(
      "li",
      { class: "item item-endpoint", "data-id": endpoint.id },
      h(
        "div",
        {},
        h("a", { class: "item-link code two-lines", href: to(`/endpoints/${endpoint.id}`), title: endpoint.url }, breakable(endpoint.url)),
        h("p", { class: "item-note" }, [endpoint.description, listens(endpoint)].filter(Boolean).join(" · ")),
      ),
      meter(rates.get(endpoint.id)),
      endpointBadge(endpoint, rates.get(endpoint.id)),
    );
    watch.observe(element);
    return element;
  }

  /** Fetch the recent results of the visible endpoints, each only now and then. */
  async function readRates() {
    if (reading) return;
    reading = true;
    const since = new Date(Date.now() - 86_400_000).toISOString();
    const stale = (id) => !(Date.now() - rates.get(id)?.at < RATE_MS);
    const work = async () => {
      for (let id = [...inView].find(stale); id; id = [...inView].find(stale)) {
        rates.set(id, { ...rates.get(id), at: Date.now() });
        const { success, fail } = await get(app("endpoint", id, "stats"), { since }, signal);
        const endpoint = known.find((each) => each.id === id);
        const doing = fail > 0 && endpoint ? await latestOf(endpoint, signal) : {};
        rates.set(id, { ...doing, success, fail, text: JSON.stringify([success, fail, doing]), at: Date.now() });
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    } catch {
      // Missing results are fetched in the next round.
    } finally {
      reading = false;
    }
    if (!signal.aborted) show();
  }
}

function welcome() {
  if (!may("ManageEndpoint")) return empty("hook", t("No endpoints yet"), t("Your access allows looking, not adding; endpoints show up here as soon as somebody adds one."));
  const steps = [
    [t("Add an endpoint"), t("A URL of yours that we send events to. No server yet? Play gives you a temporary one.")],
    may("CreateAttempts") && [t("Send an example"), t("On its tab Testing, and see what arrives and what your server answers.")],
    [t("Verify signatures"), t("The tab Verify has the code for it, in many languages.")],
  ].filter(Boolean);
  return empty(
    "hook",
    t("No endpoints yet"),
    t("In a few steps your server hears of everything that happens here:"),
    h("ol", { class: "steps" }, steps.map(([title, words]) => h("li", {}, h("div", {}, h("p", { class: "step" }, title), h("p", { class: "soft small" }, words))))),
  );
}

function listens(endpoint) {
  const types = endpoint.eventTypes;
  if (!types) return t("All event types");
  return types.length <= 2 ? types.join(", ") : t("{n} event types", { n: types.length });
}

function meter(rate) {
  if (rate?.text === undefined) return h("div", { class: "meter" });
  const total = rate.success + rate.fail;
  const share = total ? rate.fail / total : 0;
  const percent = share > 0 && share < 0.01 ? "< 1" : number(Math.round(share * 100));
  const text = total ? t("{percent} % failures in 24 h", { percent }) : t("Nothing sent in 24 h");
  return h(
    "div",
    { class: "meter", title: total ? t("{failed} of {n} attempts in the last 24 hours did not succeed", { failed: rate.fail, n: total }) : undefined },
    svg(
      "svg",
      { width: 44, height: 6, viewBox: "0 0 44 6", "aria-hidden": "true" },
      svg("rect", { width: 44, height: 6, rx: 3, class: total ? "meter-good" : "meter-none" }),
      share > 0 && svg("rect", { width: Math.max(44 * share, 4), height: 6, rx: 3, class: "meter-bad" }),
    ),
    text,
  );
}
