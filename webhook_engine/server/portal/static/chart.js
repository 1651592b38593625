// Attempts over time: bars of what succeeded and what did not.

import { to } from "./address.js";
import { app, get } from "./api.js";
import { fill, h, svg } from "./dom.js";
import { dayOf, hourOf, number } from "./format.js";
import { t } from "./language.js";
import { card, field, loading, repeatedly, select } from "./ui.js";

const SPANS = {
  day: [t("24 hours"), 86_400_000, 24],
  week: [t("7 days"), 7 * 86_400_000, 28],
  month: [t("28 days"), 28 * 86_400_000, 28],
};
const WIDTH = 720;
const HEIGHT = 128;

/** The statistics of an endpoint. */
export function statistics(endpoint, signal) {
  const span = select(Object.entries(SPANS).map(([key, [name]]) => [key, name]), { value: "day", "aria-label": t("Period") });
  const content = h("div", {}, loading());
  let before;
  const refresh = repeatedly(
    async () => {
      const [, length, parts] = SPANS[span.value];
      const now = Date.now();
      const query = { since: new Date(now - length).toISOString(), parts };
      const { data } = await get(app("endpoint", endpoint, "stats", "by-time"), query, signal);
      const seen = JSON.stringify([span.value, data.map(({ success, fail }) => [success, fail])]);
      if (seen === before) return;
      before = seen;
      fill(content, numbers(data), h("div", { class: "chart-wrap" }, drawn(data, span.value), partLinks(data, endpoint)), axis(data, span.value));
    },
    5_000,
    signal,
  );
  span.addEventListener("change", () => refresh());
  return card(t("Delivery attempts"), content, { actions: span });
}

const sum = (data, name) => data.reduce((total, part) => total + part[name], 0);

function numbers(data) {
  const success = sum(data, "success");
  const fail = sum(data, "fail");
  const rate = success + fail ? `${number(Math.round((100 * fail) / (success + fail)))} %` : "–";
  return h(
    "div",
    { class: "numbers" },
    [
      [number(success), "good", t("Successes")],
      [number(fail), "bad", t("Failures")],
      [rate, "", t("Failure rate")],
    ].map(([value, kind, what]) =>
      h("div", {}, h("span", { class: "n" }, value), h("span", { class: "what" }, kind && h("span", { class: `dot ${kind}` }), what)),
    ),
  );
}

function drawn(data, span) {
  const most = Math.max(1, ...data.map(({ success, fail }) => success + fail));
  const step = WIDTH / data.length;
  const bar = step * 0.7;
  const high = (count) => (count ? Math.max(3, (count / most) * (HEIGHT - 8)) : 0);
  return svg(
    "svg",
    {
      class: "chart",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": t("Attempts of the last {span}: {success} successes, {fail} failures", { span: SPANS[span][0], success: sum(data, "success"), fail: sum(data, "fail") }),
    },
    data.map(({ success, fail }, place) => {
      const x = place * step + (step - bar) / 2;
      const up = high(success);
      const bad = high(fail);
      return svg(
        "g",
        {},
        svg("rect", { class: "chart-none", x, y: HEIGHT - 2, width: bar, height: 2 }),
        up > 0 && svg("rect", { class: "chart-good", x, y: HEIGHT - up, width: bar, height: up, rx: 2 }),
        bad > 0 && svg("rect", { class: "chart-bad", x, y: Math.max(0, HEIGHT - up - bad - (up ? 1 : 0)), width: bar, height: bad, rx: 2 }),
      );
    }),
  );
}

const partWords = ({ start, success, fail }) => {
  const at = new Date(start);
  return t("{when}: {success} successes, {fail} failures", { when: `${dayOf(at)} ${hourOf(at)}`, success, fail });
};

/** A link over each bar to the messages of its time: told when it is pointed at or reached by the arrow keys. */
function partLinks(data, endpoint) {
  const end = new Date().toISOString();
  const links = data.map((part, place) => {
    const query = new URLSearchParams({ endpoint, since: part.start, until: data[place + 1]?.start ?? end });
    const words = partWords(part);
    return h("a", { href: to(`/messages?${query}`), "aria-label": words, "data-tip": words, tabindex: place === data.length - 1 ? "0" : "-1" });
  });
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = links[links.indexOf(document.activeElement) + step];
    if (!step || !next) return;
    event.preventDefault();
    for (const link of links) link.tabIndex = link === next ? 0 : -1;
    next.focus();
  };
  return h("div", { class: "chart-parts", on: { keydown: move } }, links);
}

function axis(data, span) {
  const write = span === "day" ? hourOf : dayOf;
  const places = [0, Math.floor(data.length / 2)];
  return h("div", { class: "chart-axis", "aria-hidden": "true" }, places.map((place) => h("span", {}, write(new Date(data[place].start)))), h("span", {}, t("now")));
}
