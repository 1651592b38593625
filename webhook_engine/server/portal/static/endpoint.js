// The page of one endpoint.

import { to } from "./address.js";
import { api, app, get } from "./api.js";
import { statistics } from "./chart.js";
import { fill, h } from "./dom.js";
import { settingsTab } from "./endpoint_settings.js";
import { fullTime } from "./format.js";
import { pieces, t } from "./language.js";
import { endpointMessages } from "./messages.js";
import { repairCard } from "./repair.js";
import { secretCard } from "./secret.js";
import { orderCard, pausedNotice } from "./order.js";
import { may, root } from "./session.js";
import { testingTab } from "./testing.js";
import { titled } from "./titles.js";
import { latestOf } from "./doing.js";
import { backLink, breakable, button, card, empty, endpointBadge, loading, notice, repeatedly, tabs, tags, toast, when } from "./ui.js";
import { leaving, stay } from "./unsaved.js";
import { verifyTab } from "./verify.js";
import { BLOCKED, reasonWords } from "./words.js";

/** "#/endpoints/{id}" */
export function endpointPage(page, signal, id, tab = "overview") {
  const heading = h("div", { class: "head" }, h("div", {}, h("h1", {}, t("Endpoint"))));
  const state = h("div", { class: "stack" });
  const content = h("div", {}, loading());
  const facts = h("div", {});
  let endpoint;
  let seen;
  let settings;
  let doing = {};
  let inner = new AbortController();
  signal.addEventListener("abort", () => inner.abort());
  fill(page, backLink(to("/endpoints")), heading, state, content);

  /** A signal for the current tab; it aborts when another tab is chosen. */
  function next() {
    inner.abort();
    inner = new AbortController();
    if (signal.aborted) inner.abort();
    return inner.signal;
  }

  function overview() {
    const mine = next();
    return h(
      "div",
      { class: "columns" },
      h("div", { class: "stack" }, orderCard(endpoint, mine), statistics(id, mine), endpointMessages(id, mine)),
      h("div", { class: "stack" }, facts, secretCard(id, mine), may("CreateAttempts") && repairCard(id, mine)),
    );
  }

  function changed(now) {
    endpoint = now;
    const text = JSON.stringify([now, doing]);
    if (text === seen) return;
    const first = seen === undefined;
    seen = text;
    document.title = titled(now.url);
    fill(
      heading,
      h("div", {}, h("h1", { class: "address" }, h("a", { href: to(`/endpoints/${id}`) }, breakable(now.url))), now.description && h("p", {}, now.description)),
      h("div", { class: "row-end" }, endpointBadge(now, doing)),
    );
    fill(state, now.disabled ? disabledNotice(now, changed) : doing.blocked ? blockedNotice() : pausedNotice(now) ?? (now.firstFailureAt && failingNotice(now)));
    state.classList.toggle("spaced", Boolean(state.firstChild));
    fill(facts, factsCard(now));
    settings?.meanwhile(now);
    if (!first) return;
    const pages = [
      ["overview", t("Overview"), overview],
      ["testing", t("Testing"), () => testingTab(id, next())],
      ["verify", t("Verify"), () => verifyTab(endpoint, next())],
      ["settings", t("Settings"), () => (settings = settingsTab(endpoint, next(), changed))],
    ];
    fill(content, tabs(pages, tab, (key) => stay(to(`/endpoints/${id}${key === "overview" ? "" : `?tab=${key}`}`)), leaving));
  }

  repeatedly(
    async () => {
      try {
        const now = await get(app("endpoint", id), {}, signal);
        doing = await latestOf(now, signal);
        changed(now);
      } catch (error) {
        if (error.status === 404) {
          fill(content, empty("warning", t("There is no such endpoint"), t("It may have been deleted."), h("a", { class: "button", href: to("/endpoints") }, t("All endpoints"))));
          error = Object.assign(new Error(error.message), { fatal: true });
        } else if (seen === undefined && error.name !== "AbortError" && !error.passing) {
          fill(content, empty("warning", t("This endpoint cannot be shown"), error.message));
        }
        throw error;
      }
    },
    2_000,
    signal,
  );
}

function disabledNotice(endpoint, changed) {
  const enable = async () => {
    changed(await api("PATCH", app("endpoint", endpoint.id), { body: { disabled: false } }));
    toast(t("The endpoint is enabled"));
  };
  return notice(
    "bad",
    "warning",
    t("This endpoint is disabled"),
    h("p", {}, t("Nothing is sent to it. Reason: {reason}.", { reason: reasonWords(endpoint.disabledReason) })),
    h(
      "p",
      { class: "small" },
      endpoint.disabledAt && [pieces("Disabled {when} ({time}).", { when: when(endpoint.disabledAt, ""), time: fullTime(endpoint.disabledAt) }), " "],
      endpoint.firstFailureAt && t("No attempt has succeeded since {time}.", { time: fullTime(endpoint.firstFailureAt) }),
    ),
    may("ManageEndpoint") && h("p", { class: "small" }, whatToDo()),
    may("ManageEndpoint") && h("div", { class: "row" }, button(t("Enable endpoint"), enable, { kind: "main", glyph: "play" })),
  );
}

function whatToDo() {
  return may("CreateAttempts")
    ? t("What to do: repair your server, try it out on the tab Testing, enable the endpoint, and then recover the messages that it did not get.")
    : t("What to do: repair your server, and then enable the endpoint.");
}

function blockedNotice() {
  const more = may("ManageEndpoint") ? ` ${t("You can change it on the tab Settings.")}` : "";
  return notice("bad", "warning", t("Nothing can be sent to this endpoint"), h("p", {}, `${BLOCKED}${more}`));
}

function failingNotice(endpoint) {
  return notice(
    "wait",
    "warning",
    t("Deliveries to this endpoint are failing"),
    h("p", { class: "small" }, t("No attempt has succeeded since {time}. Open a failed message to see what your server answered. If this goes on for days, the endpoint will be disabled.", { time: fullTime(endpoint.firstFailureAt) })),
  );
}

/** The page of the Play inbox that the endpoint's URL leads to, if it does. */
function inboxPage(url) {
  const inboxes = new URL("play/in/", root).href;
  if (!url.startsWith(inboxes)) return undefined;
  const [token] = url.slice(inboxes.length).split(/[/?#]/);
  return new URL(`play/view/${encodeURIComponent(token)}`, root).href;
}

function factsCard(endpoint) {
  const inbox = inboxPage(endpoint.url);
  const known = [
    [t("Event types"), endpoint.eventTypes?.length ? tags(endpoint.eventTypes) : t("All event types")],
    [t("Channels"), endpoint.channels?.length && tags(endpoint.channels)],
    [t("Rate limit"), endpoint.throttleRate && t("{n} per second", { n: endpoint.throttleRate })],
    [t("Play"), inbox && h("a", { href: inbox, target: "_blank", rel: "noopener noreferrer" }, t("Watch what arrives"))],
    [t("Created"), fullTime(endpoint.createdAt)],
    [t("Endpoint id"), h("code", {}, endpoint.uid ?? endpoint.id)],
  ];
  return card(
    t("Details"),
    h("dl", { class: "facts" }, known.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
  );
}
