// Attempts over time: results, status codes and durations. Each bar links to the messages of its interval, and is
// described in words on hover or by the arrow keys.

import { to } from "./address.js";
import { app, get } from "./api.js";
import { fill, h, svg } from "./dom.js";
import { dayOf, duration, hourOf, number } from "./format.js";
import { t } from "./language.js";
import { card, loading, repeatedly, select } from "./ui.js";

const HOUR_MS = 3_600_000;
const SPANS = {
  hour: [t("1 hour"), HOUR_MS, 60],
  day: [t("24 hours"), 24 * HOUR_MS, 48],
  week: [t("7 days"), 7 * 24 * HOUR_MS, 28],
  month: [t("30 days"), 30 * 24 * HOUR_MS, 30],
};
const WIDTH = 720;
const HEIGHT = 128;
const LEAST = 1.5;
const AHEAD_MS = 60_000;

const RESULTS = [
  ["good", t("Successes"), ({ success }) => success, {}],
  ["bad", t("Failures"), ({ fail }) => fail, { state: "2" }],
];
const ANSWERS = [
  ["good", "2xx", ({ answers }) => answers.succeeded, { answer: "2xx" }],
  ["other", "3xx", ({ answers }) => answers.redirected, { answer: "3xx" }],
  ["wait", "4xx", ({ answers }) => answers.refused, { answer: "4xx" }],
  ["bad", "5xx", ({ answers }) => answers.broken, { answer: "5xx" }],
  ["none", t("No response"), ({ answers }) => answers.none, {}],
];
const TIMES = [
  ["most", t("Half of the responses"), ({ p50Ms }) => p50Ms ?? 0],
  ["rest", t("95 % of the responses"), ({ p50Ms, p95Ms }) => (p95Ms ?? 0) - (p50Ms ?? 0)],
];
const VIEWS = {
  results: { name: t("Results"), layers: RESULTS, write: number },
  answers: { name: t("Answers"), layers: ANSWERS, write: number },
  times: { name: t("Duration"), layers: TIMES, write: duration },
};

/** The statistics of an endpoint or the whole application. */
export function statistics(endpoint, signal) {
  const span = select(Object.entries(SPANS).map(([key, [name]]) => [key, name]), { value: "day", "aria-label": t("Period") });
  const view = select(Object.entries(VIEWS).map(([key, { name }]) => [key, name]), { value: "results", "aria-label": t("What to show") });
  const content = h("div", {}, loading());
  const address = endpoint ? app("endpoint", endpoint, "stats", "by-time") : app("stats", "by-time");
  let found;
  let before;
  function show() {
    const seen = JSON.stringify([span.value, view.value, found.p50Ms, found.p95Ms, found.data.map(({ start, ...counted }) => counted)]);
    if (seen === before || !found) return;
    before = seen;
    const { data } = found;
    const shown = VIEWS[view.value];
    const most = round(Math.max(1, ...data.map((part) => height(shown, part))));
    const focused = [...content.querySelectorAll(".chart-parts a")].indexOf(document.activeElement);
    fill(
      content,
      figures(found, endpoint),
      h(
        "div",
        { class: "chart-box" },
        h("div", { class: "chart-scale", "aria-hidden": "true" }, [most, most / 2, 0].map((value) => h("span", {}, shown.write(value)))),
        h("div", { class: "chart-wrap" }, drawn(data, shown, most, SPANS[span.value][0]), partLinks(data, endpoint, found.until)),
        axis(data, span.value),
      ),
      legend(shown, data, endpoint),
      found.sampled && h("p", { class: "hint" }, t("Answers and durations are those of a part of the attempts.")),
    );
    if (focused >= 0) content.querySelectorAll(".chart-parts a")[focused]?.focus();
  }
  const refresh = repeatedly(
    async () => {
      const [, length, parts] = SPANS[span.value];
      found = await get(address, { since: new Date(Date.now() - length).toISOString(), parts }, signal);
      show();
    },
    5_000,
    signal,
  );
  span.addEventListener("change", () => refresh());
  view.addEventListener("change", () => found && show());
  return card(t("Delivery attempts"), content, { actions: [view, span] });
}

const sum = (data, name) => data.reduce((total, part) => total + part[name], 0);
const height = ({ layers }, part) => layers.reduce((total, [, , value]) => total + value(part), 0);

/** The next larger round number. */
function round(value) {
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 6, 8, 10].find((step) => step * size >= value) * size;
}

function addressOf(query) {
  return to(`/messages?${new URLSearchParams(Object.entries(query).filter(([, value]) => value))}`);
}

function figures({ data, p50Ms, p95Ms }, endpoint) {
  const success = sum(data, "success");
  const fail = sum(data, "fail");
  const since = data[0].start;
  const rate = success + fail ? `${number(Math.round((100 * fail) / (success + fail)))} %` : "–";
  const time = (ms) => (ms === null || ms === undefined ? "–" : duration(ms));
  const cells = [
    [number(success), "good", t("Successes")],
    [fail ? h("a", { href: addressOf({ endpoint, since, until: new Date(Date.now() + AHEAD_MS).toISOString(), state: "2" }) }, number(fail)) : number(fail), "bad", t("Failures")],
    [rate, "", t("Failure rate")],
    [time(p50Ms), "", t("Half of the responses")],
    [time(p95Ms), "", t("95 % of the responses")],
  ];
  return h("div", { class: "numbers" }, cells.map(([value, kind, what]) => h("div", {}, h("span", { class: "n" }, value), h("span", { class: "what" }, kind && h("span", { class: `dot ${kind}` }), what))));
}

function drawn(data, shown, most, span) {
  const step = WIDTH / data.length;
  const bar = step * 0.7;
  return svg(
    "svg",
    {
      class: "chart",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": t("Attempts of the last {span}: {success} succeeded, {fail} failed", { span, success: sum(data, "success"), fail: sum(data, "fail") }),
    },
    [0, 0.5].map((share) => svg("rect", { class: "chart-line", x: 0, y: share * HEIGHT, width: WIDTH, height: 1 })),
    data.map((part, place) => {
      const x = place * step + (step - bar) / 2;
      let y = HEIGHT;
      const layers = shown.layers.map(([kind, , value]) => {
        const count = value(part);
        if (count <= 0) return undefined;
        const high = Math.max(LEAST, (count / most) * HEIGHT);
        y -= high;
        return svg("rect", { class: `chart-${kind}`, x, y: Math.max(0, y), width: bar, height: high });
      });
      return svg("g", {}, svg("rect", { class: "chart-empty", x, y: HEIGHT - 2, width: bar, height: 2 }), layers.filter(Boolean));
    }),
  );
}

/** The description of a bar: its results, then its status codes and durations, if any. */
function partWords(part) {
  const { start, success, fail, answers, p50Ms, p95Ms } = part;
  const at = new Date(start);
  const refused = ANSWERS.slice(1).flatMap(([, name, value]) => (value(part) ? [`${name}: ${number(value(part))}`] : []));
  return [
    t("{when}: {success} succeeded, {fail} failed", { when: `${dayOf(at)} ${hourOf(at)}`, success, fail }),
    answers && refused.join(", "),
    p95Ms !== null && p95Ms !== undefined && t("half within {p50}, 95 % within {p95}", { p50: duration(p50Ms), p95: duration(p95Ms) }),
  ].filter(Boolean);
}

/** A link over each bar to the messages of its interval. */
function partLinks(data, endpoint, until) {
  const end = new Date(new Date(until).getTime() + AHEAD_MS).toISOString();
  const links = data.map((part, place) => {
    const words = partWords(part);
    return h("a", { href: addressOf({ endpoint, since: part.start, until: data[place + 1]?.start ?? end }), "aria-label": words.join("; "), "data-tip": words.join("\n"), tabindex: place === data.length - 1 ? "0" : "-1" });
  });
  const move = (event) => {
    const from = links.indexOf(document.activeElement);
    const next = { ArrowRight: links[from + 1], ArrowLeft: links[from - 1], Home: links[0], End: links.at(-1) }[event.key];
    if (!next) return;
    event.preventDefault();
    for (const link of links) link.tabIndex = link === next ? 0 : -1;
    next.focus();
  };
  return h("div", { class: "chart-parts", on: { keydown: move } }, links);
}

/** The legend of the colours, with links to the messages where they can be filtered by it. */
function legend(shown, data, endpoint) {
  const until = new Date(Date.now() + AHEAD_MS).toISOString();
  return h(
    "ul",
    { class: "chart-legend" },
    shown.layers.map(([kind, name, value, query]) => {
      const count = query ? data.reduce((total, part) => total + value(part), 0) : undefined;
      const words = count === undefined ? name : `${name} ${number(count)}`;
      const leads = count > 0 && query && Object.keys(query).length > 0;
      return h("li", {}, h("span", { class: `dot chart-dot-${kind}` }), leads ? h("a", { href: addressOf({ endpoint, since: data[0].start, until, ...query }) }, words) : words);
    }),
  );
}

function axis(data, span) {
  const write = span === "hour" || span === "day" ? hourOf : dayOf;
  const places = [0, Math.floor(data.length / 4), Math.floor(data.length / 2), Math.floor((3 * data.length) / 4)];
  return h("div", { class: "chart-axis", "aria-hidden": "true" }, places.map((place) => h("span", {}, write(new Date(data[place].start)))), h("span", {}, t("now")));
}
