// Sending again what an endpoint did not get.

import { api, app, eventually, get } from "./api.js";
import { fill, h } from "./dom.js";
import { localInput, span } from "./format.js";
import { t } from "./language.js";
import { deliveryRules } from "./rules.js";
import { button, card, field, input } from "./ui.js";

const WEEK_MS = 7 * 86_400_000;
const MINUTE_MS = 60_000;
const LOOK_MS = 700;

/** "Recover failed messages" and "Replay missing messages", with their progress. */
export function repairCard(endpoint, signal) {
  const since = input({ type: "datetime-local", value: localInput(new Date(Date.now() - WEEK_MS)) });
  const wrapped = field(t("Since"), since);
  const progress = h("div", { class: "stack-small", role: "status" });
  const recover = button(t("Recover failed messages"), () => run("recover", t("Sending again what did not succeed")), { glyph: "again" });
  const replay = button(t("Replay missing messages"), () => run("replay-missing", t("Sending what was never sent here")), {});

  let longestMs = Infinity;
  eventually(deliveryRules, signal).then(
    ({ recoverMaxAgeMs }) => {
      longestMs = recoverMaxAgeMs;
      if (longestMs < WEEK_MS) since.value = localInput(new Date(Date.now() - longestMs + MINUTE_MS));
    },
    () => {},
  );

  async function run(action, text) {
    wrapped.complain();
    if (!since.value) return wrapped.complain(t("Choose a date and a time."));
    const ageMs = Date.now() - new Date(since.value).getTime();
    if (ageMs < 0) return wrapped.complain(t("Choose a time that is in the past."));
    if (ageMs > longestMs) return wrapped.complain(t("Only what is at most {span} old can be sent again.", { span: span(longestMs) }));
    const bar = h("progress", { class: "progress", "aria-label": text });
    const words = h("p", { class: "small" }, `${text}…`);
    fill(progress, words, bar);
    try {
      const body = { since: new Date(since.value).toISOString() };
      const { id } = await api("POST", app("endpoint", endpoint, action), { body, signal });
      await watch(id, text, words);
    } catch (error) {
      fill(progress);
      if (error.name !== "AbortError") wrapped.complain(error.message);
    }
    return undefined;
  }

  async function watch(id, text, words) {
    let ended = false;
    for (;;) {
      const { status, data } = await get(`background-task/${encodeURIComponent(id)}`, {}, signal);
      const n = data.processed ?? 0;
      if (status === "running" || !ended) {
        // The last count may be written a moment after the end, so the end is looked at twice.
        ended = status !== "running";
        words.textContent = t("{what}: {n} messages so far…", { what: text, n });
      } else {
        const done = status === "finished" ? t("Done: {n} messages on the way.", { n }) : t("This stopped after {n} messages; try again.", { n });
        fill(progress, h("p", { class: "small" }, done));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  return card(
    t("Catch up"),
    h("div", { class: "stack-small" }, wrapped, h("div", { class: "row" }, recover, replay), progress),
    { note: t("After an outage of yours, have messages sent again: those that did not succeed, or those created while this endpoint was disabled.") },
  );
}
