// The phases of an attempt, with their durations.

import { h } from "./dom.js";
import { duration } from "./format.js";
import { t } from "./language.js";

/** The phases in order: [key, name, milliseconds]. */
export function phasesOf({ lookupMs, connectMs, tlsMs, firstByteMs, totalMs }) {
  const known = [
    ["lookup", t("Look-up of the name"), lookupMs],
    ["connect", t("Connection"), connectMs],
    ["tls", t("TLS"), tlsMs],
    ["wait", t("Waiting for the first byte"), firstByteMs],
  ].filter(([, , part]) => part !== null);
  if (firstByteMs === null) return known;
  const rest = totalMs - known.reduce((sum, [, , part]) => sum + part, 0);
  return rest > 1 ? [...known, ["rest", t("Rest of the response"), rest]] : known;
}

const finely = (milliseconds) => (milliseconds >= 10 ? duration(Math.round(milliseconds)) : t("{n} ms", { n: Math.round(milliseconds * 10) / 10 }));

/** A bar of the phases with a legend; nothing if none is known. */
export function timingBar(timing) {
  const phases = phasesOf(timing);
  if (!phases.length) return undefined;
  const sum = phases.reduce((total, [, , part]) => total + part, 0) || 1;
  const kept = timing.connectMs === null && timing.firstByteMs !== null;
  return h(
    "div",
    { class: "timing" },
    h("h3", {}, t("Timing")),
    h("div", { class: "timing-bar", "aria-hidden": "true" }, phases.map(([key, , part]) => {
      const element = h("span", { class: `phase-${key}` });
      element.style.flexGrow = String(Math.max(part / sum, 0.01));
      return element;
    })),
    h("ul", { class: "timing-parts" }, phases.map(([key, name, part]) => h("li", {}, h("span", { class: `dot phase-${key}` }), `${name} `, h("strong", {}, finely(part))))),
    kept && h("p", { class: "hint" }, t("Sent over a connection that was open from before.")),
  );
}
