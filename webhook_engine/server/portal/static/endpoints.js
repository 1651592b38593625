// The list of endpoints, with how each is doing.

import { app, get } from "./api.js";
import { fill, h, reconcile, svg } from "./dom.js";
import { number, plural } from "./format.js";
import { may } from "./session.js";
import { button, empty, endpointBadge, loading, repeatedly } from "./ui.js";

const PER_PAGE = 50;
const AT_ONCE = 4;

/** "#/endpoints" */
export function endpointsPage(page, signal) {
  const list = h("ul", { class: "list" });
  const wait = loading();
  const none = empty("hook", "No endpoints yet", "An endpoint is a URL of yours that we send events to. Add your first one to begin.");
  const more = button("Show more", () => ((limit += PER_PAGE), refresh()), { kind: "plain" });
  const pager = h("div", { class: "pager" }, more);
  const problem = h("p", { class: "problem card-body", role: "alert", hidden: true });
  const rates = new Map();
  let limit = PER_PAGE;
  none.hidden = pager.hidden = true;
  fill(
    page,
    h(
      "div",
      { class: "head" },
      h("div", {}, h("h1", {}, "Endpoints"), h("p", {}, "Where your events are sent.")),
      may("ManageEndpoint") && button("Add endpoint", () => (location.hash = "#/endpoints/new"), { kind: "main", glyph: "plus" }),
    ),
    h("section", { class: "card", "aria-label": "List" }, wait, problem, none, list, pager),
  );

  const refresh = repeatedly(
    async () => {
      try {
        const { data, done } = await get(app("endpoint"), { limit: Math.min(limit, 250) }, signal);
        problem.hidden = true;
        show(data);
        pager.hidden = done || limit >= 250;
        await readRates(data);
        show(data);
      } catch (error) {
        if (error.name === "AbortError") throw error;
        problem.textContent = error.message;
        problem.hidden = false;
        throw error;
      } finally {
        wait.hidden = true;
      }
    },
    5_000,
    signal,
  );

  function show(endpoints) {
    none.hidden = endpoints.length > 0;
    reconcile(
      list,
      endpoints,
      ({ id }) => id,
      (endpoint) =>
        h(
          "li",
          { class: "item item-endpoint" },
          h(
            "div",
            {},
            h("a", { class: "item-link code", href: `#/endpoints/${endpoint.id}` }, endpoint.url),
            h("p", { class: "item-note" }, [endpoint.description, listens(endpoint)].filter(Boolean).join(" · ")),
          ),
          meter(rates.get(endpoint.id)),
          endpointBadge(endpoint),
        ),
      (endpoint) => JSON.stringify([endpoint, rates.get(endpoint.id)]),
    );
  }

  async function readRates(endpoints) {
    const since = new Date(Date.now() - 86_400_000).toISOString();
    const left = [...endpoints];
    const work = async () => {
      for (let one = left.shift(); one; one = left.shift()) {
        const { success, fail } = await get(app("endpoint", one.id, "stats"), { since }, signal);
        rates.set(one.id, { success, fail });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }
}

function listens(endpoint) {
  const types = endpoint.eventTypes;
  if (!types) return "All event types";
  return types.length <= 2 ? types.join(", ") : plural(types.length, "event type", "event types");
}

function meter(rate) {
  if (!rate) return h("div", { class: "meter" });
  const total = rate.success + rate.fail;
  const share = total ? rate.fail / total : 0;
  const percent = share > 0 && share < 0.01 ? "< 1" : number(Math.round(share * 100));
  const text = total ? `${percent} % failures, 24 h` : "Nothing in 24 h";
  return h(
    "div",
    { class: "meter", title: total ? `${number(rate.fail)} of ${number(total)} attempts in the last 24 hours did not succeed` : undefined },
    svg(
      "svg",
      { width: 44, height: 6, viewBox: "0 0 44 6", "aria-hidden": "true" },
      svg("rect", { width: 44, height: 6, rx: 3, class: total ? "meter-good" : "meter-none" }),
      share > 0 && svg("rect", { width: Math.max(44 * share, 4), height: 6, rx: 3, class: "meter-bad" }),
    ),
    text,
  );
}
