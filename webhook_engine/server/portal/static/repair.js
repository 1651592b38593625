// Sending messages again that an endpoint did not get.

import { api, app, eventually, get, upTo } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { eventTypeChoice, eventTypes } from "./event_types.js";
import { localInput, span } from "./format.js";
import { t } from "./language.js";
import { deliveryRules } from "./rules.js";
import { may, session } from "./session.js";
import { button, card, field, inView, input } from "./ui.js";

const WEEK_MS = 7 * 86_400_000;
const MINUTE_MS = 60_000;
const LOOK_MS = 700;
const COUNTED = 1_000;
const TYPED_MS = 400;
const WAITING = "3";
const FAILED = "2";
const PAUSED_LOOK_MS = 3_000;
const KINDS = {
  "endpoint.recover": t("Sending again what did not succeed"),
  "endpoint.bulk-replay": t("Sending again what did not succeed"),
  "endpoint.replay": t("Sending what was never sent here"),
};

/** "Recover failed messages" and "Replay missing messages", with their progress. */
export function repairCard(endpoint, signal) {
  const since = input({ type: "datetime-local", value: localInput(new Date(Date.now() - WEEK_MS)) });
  const until = input({ type: "datetime-local" });
  const wrapped = field(t("Since"), since);
  const ends = field(t("Until"), until, { optional: true });
  const count = h("p", { class: "small soft", role: "status" });
  const progress = h("div", { class: "stack-small", role: "status" });
  const recover = button(t("Recover failed messages"), () => run("recover", KINDS["endpoint.recover"]), { glyph: "again" });
  const replay = button(t("Replay missing messages"), () => run("replay-missing", KINDS["endpoint.replay"]), {});
  const some = h("details", { class: "fold" }, h("summary", {}, icon("right", 14), t("Only some kinds of events")));
  let choice;
  let typing;
  let asked = 0;
  let longestMs = Infinity;

  some.addEventListener("toggle", () => {
    if (!some.open || choice) return;
    eventually(() => eventTypes(session().token), signal).then(
      (types) => {
        choice = eventTypeChoice(types, null, { nothing: t("None chosen: events of all kinds are sent again.") });
        choice.addEventListener("change", () => void countThem());
        some.append(choice);
      },
      () => {},
    );
  });
  for (const control of [since, until]) {
    control.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(countThem, TYPED_MS);
    });
  }
  eventually(deliveryRules, signal).then(
    ({ recoverMaxAgeMs }) => {
      longestMs = recoverMaxAgeMs;
      if (longestMs < WEEK_MS) since.value = localInput(new Date(Date.now() - longestMs + MINUTE_MS));
      countThem();
    },
    () => {},
  );

  function bounds() {
    return { since: new Date(since.value).toISOString(), until: until.value ? new Date(until.value).toISOString() : undefined };
  }

  /** Show at the fields what is wrong with the time range. */
  function wrong() {
    wrapped.complain();
    ends.complain();
    if (!since.value) return wrapped.complain(t("Choose a date and a time.")) ?? true;
    const ageMs = Date.now() - new Date(since.value).getTime();
    if (ageMs < 0) return wrapped.complain(t("Choose a time that is in the past.")) ?? true;
    if (ageMs > longestMs) return wrapped.complain(t("Only what is at most {span} old can be sent again.", { span: span(longestMs) })) ?? true;
    if (until.value && until.value <= since.value) return ends.complain(t("Choose a time after the first one.")) ?? true;
    return false;
  }

  /** Count the messages and show the number, before anything is sent. */
  async function countThem() {
    const mine = ++asked;
    if (!since.value || (until.value && until.value <= since.value)) return void fill(count);
    const { since: after, until: before } = bounds();
    const query = { after, before: before ?? new Date(Date.now() + MINUTE_MS).toISOString(), event_types: choice?.value() ?? undefined, with_content: false };
    try {
      const found = await Promise.all([FAILED, WAITING].map((status) => upTo(COUNTED, app("endpoint", endpoint, "msg"), { ...query, status }, signal)));
      if (mine !== asked) return;
      const [failed, waiting] = found.map(({ data }) => data.length);
      const more = found.some(({ done }) => !done);
      const said = more ? t("More than {n} messages of this time did not succeed.", { n: COUNTED }) : t("{n} messages of this time did not succeed.", { n: failed + waiting });
      fill(count, said, waiting > 0 && ` ${t("{n} of them wait for a retry.", { n: waiting })}`);
    } catch (error) {
      if (error.name !== "AbortError") fill(count);
    }
  }

  async function run(action, text) {
    if (wrong()) return undefined;
    const bar = h("progress", { class: "progress", "aria-label": text });
    const words = h("p", { class: "small" }, `${text}…`);
    fill(progress, words, bar);
    const types = choice?.value();
    try {
      const { id } = types && action === "recover"
        ? await api("POST", app("endpoint", endpoint, "bulk-replay"), { body: { ...bounds(), eventTypes: types, status: Number(FAILED) }, signal })
        : await api("POST", app("endpoint", endpoint, action), { body: bounds(), signal });
      await watch(id, text, words, bar);
      await countThem();
    } catch (error) {
      fill(progress);
      if (error.name !== "AbortError") wrapped.complain(error.message);
    }
    return undefined;
  }

  const place = (id, verb) => ["background-task", encodeURIComponent(id), verb].filter(Boolean).join("/");

  /** Show the progress of a task until it ends; it can be paused and cancelled. */
  async function watch(id, text, words, bar) {
    let ended = false;
    let paused = false;
    const hold = button(t("Pause"), () => turn(paused ? "resume" : "pause"), { size: "tiny" });
    const end = button(t("Cancel"), () => turn("cancel"), { size: "tiny", kind: "plain" });
    const turn = async (verb) => tell(await api("POST", place(id, verb), { signal }));
    const tell = ({ status, data }) => {
      const n = data.processed ?? 0;
      paused = Boolean(data.paused);
      hold.textContent = paused ? t("Resume") : t("Pause");
      bar.hidden = paused;
      if (status === "running") words.textContent = paused ? t("Paused after {n} messages.", { n }) : t("{what}: {n} messages so far…", { what: text, n });
    };
    if (may("CreateAttempts")) progress.append(h("div", { class: "row" }, hold, end));
    for (;;) {
      const found = await get(place(id), {}, signal);
      const { status, data } = found;
      const n = data.processed ?? 0;
      tell(found);
      if (status === "running" || !ended) {
        // The final count may be stored a moment after the end, so the ended task is fetched twice.
        ended = status !== "running";
      } else {
        const cancelled = data.error === "cancelled" && t("Cancelled: {n} messages are on the way.", { n });
        const done = cancelled || status === "finished" ? cancelled || t("Done: {n} messages on the way.", { n }) : t("This stopped after {n} messages; try again.", { n });
        fill(progress, h("p", { class: "small" }, done));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, paused ? PAUSED_LOOK_MS : LOOK_MS));
      await inView();
    }
  }

  /** Also show a task that is already running, started in another tab or before a reload. */
  async function goOn() {
    const { data } = await get("background-task", { status: "running" }, signal);
    const { data: held } = await get("background-task", { status: "paused" }, signal);
    const found = [...data, ...held].find((each) => each.data.endpointId === endpoint && KINDS[each.task]);
    if (!found || progress.firstChild) return;
    const words = h("p", { class: "small" });
    const bar = h("progress", { class: "progress", "aria-label": KINDS[found.task] });
    fill(progress, words, bar);
    await watch(found.id, KINDS[found.task], words, bar);
  }
  eventually(goOn, signal).catch(() => {});

  return card(
    t("Catch up"),
    h("div", { class: "stack-small" }, wrapped, ends, some, count, h("div", { class: "row" }, recover, replay), progress),
    { note: t("After an outage of yours, have messages sent again: those that did not succeed, or those created while this endpoint was disabled.") },
  );
}
