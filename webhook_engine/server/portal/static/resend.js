// Sending many messages again: selecting them, and the progress.

import { all, api, app } from "./api.js";
import { fill, h } from "./dom.js";
import { t } from "./language.js";
import { button, stateOf, toast } from "./ui.js";

const AT_ONCE = 4;
const FAILED = 2;
const MAX_DESTINATIONS = 1_000;

/**
 * Checkboxes for messages, and a bar with actions for the selected ones. With `endpoint` they are sent to that one;
 * otherwise to each endpoint where the message failed or, if it failed nowhere, to all that it was sent to.
 */
export function selection(endpoint, signal, done) {
  const chosen = new Set();
  const bar = h("div", { class: "selection" });
  const everything = h("input", { type: "checkbox", "aria-label": t("Select all on this page") });
  const count = h("span", { class: "small", role: "status" });
  const resend = button(t("Resend selected"), () => void begin(), { glyph: "again", size: "tiny" });
  const clear = button(t("Clear selection"), () => (chosen.clear(), draw(), everything.focus()), { kind: "plain", size: "tiny" });
  const hint = h("span", { class: "hint" }, endpoint ? "" : t("Each goes to where it failed; or, if it failed nowhere, to all its endpoints."));
  const run = h("div", { class: "run" });
  const boxes = new Map();
  let offered = [];
  let going = false;
  everything.addEventListener("change", () => {
    for (const { id } of offered) everything.checked ? chosen.add(id) : chosen.delete(id);
    draw();
  });
  fill(bar, h("label", { class: "all" }, everything, h("span", {}, t("Select all"))), count, resend, clear, hint, run);
  draw();

  function box(message) {
    const made = h("input", { type: "checkbox", class: "choose", checked: chosen.has(message.id), "aria-label": t("Select {message}", { message: message.eventId ?? message.id }) });
    made.addEventListener("change", () => {
      if (made.checked) chosen.add(message.id);
      else chosen.delete(message.id);
      draw();
    });
    boxes.set(message.id, made);
    return made;
  }

  function draw() {
    for (const [id, each] of boxes) each.checked = chosen.has(id);
    const here = offered.filter(({ id }) => chosen.has(id)).length;
    everything.checked = here > 0 && here === offered.length;
    everything.indeterminate = here > 0 && here < offered.length;
    count.textContent = chosen.size ? t("{n} selected", { n: chosen.size }) : "";
    for (const element of [resend, clear]) element.hidden = !chosen.size || going;
    hint.hidden = !chosen.size || going || Boolean(endpoint);
    bar.hidden = !offered.length && !chosen.size && !run.firstChild;
  }

  async function begin() {
    const ids = [...chosen];
    const bar = h("progress", { class: "progress", max: String(ids.length), "aria-label": t("Sending again") });
    const words = h("p", { class: "small", role: "status" });
    const hold = button(t("Pause"), () => turn(), { size: "tiny" });
    const end = button(t("Cancel"), () => ((over = true), resume?.()), { size: "tiny", kind: "plain" });
    let paused = false;
    let over = false;
    let resume;
    let handled = 0;
    let sent = 0;
    const refused = [];
    going = true;
    chosen.clear();
    draw();
    fill(run, words, bar, h("div", { class: "row" }, hold, end));
    tell();

    function tell() {
      bar.value = handled;
      words.textContent = paused ? t("Paused: {handled} of {n} messages.", { handled, n: ids.length }) : t("Sending again: {handled} of {n} messages.", { handled, n: ids.length });
    }

    function turn() {
      paused = !paused;
      hold.textContent = paused ? t("Resume") : t("Pause");
      if (!paused) resume?.();
      tell();
    }

    const wait = () => new Promise((resolve) => (resume = resolve));
    let waiting;
    const work = async () => {
      while (ids.length > begun && !over && !signal.aborted) {
        if (paused) {
          await (waiting ??= wait().finally(() => (waiting = undefined)));
          continue;
        }
        const id = ids[begun++];
        try {
          sent += await again(id);
        } catch (error) {
          if (error.name === "AbortError") return;
          refused.push(error.message);
        }
        handled += 1;
        tell();
      }
    };
    let begun = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    going = false;
    if (signal.aborted) return;
    fill(
      run,
      h("p", { class: "small", role: "status" }, over ? t("Cancelled after {handled} of {n} messages.", { handled, n: ids.length }) : t("Done: {n} messages sent again.", { n: handled - refused.length })),
      refused.length > 0 && h("p", { class: "problem" }, t("{n} could not be sent:", { n: refused.length }), ` ${[...new Set(refused)].join(" ")}`),
    );
    if (sent) toast(t("Sent again"));
    draw();
    done();
  }

  /** Send one message again; returns the number of endpoints. */
  async function again(message) {
    const to = endpoint ? [endpoint] : await destinations(message);
    for (const each of to) await api("POST", app("msg", message, "endpoint", each, "resend"), { signal });
    return to.length;
  }

  async function destinations(message) {
    const found = await all(app("msg", message, "endpoint"), {}, signal, MAX_DESTINATIONS);
    const failed = found.filter((each) => stateOf(each) === FAILED);
    return (failed.length ? failed : found).map(({ id }) => id);
  }

  return {
    bar,
    box,
    offer(messages) {
      offered = messages;
      for (const id of boxes.keys()) if (!messages.some((each) => each.id === id)) boxes.delete(id);
      draw();
    },
  };
}
