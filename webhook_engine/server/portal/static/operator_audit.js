// The audit log: who changed what, with filters, page by page, and as a file.

import "./operator_room.js";
import { within } from "./address.js";
import { get } from "./api.js";
import { fill, h, reconcile } from "./dom.js";
import { fullTime, midnight } from "./format.js";
import { t } from "./language.js";
import { button, empty, field, input, loading, repeatedly, toast, when } from "./ui.js";
import { stay } from "./unsaved.js";

const PER_PAGE = 50;
const AT_ONCE = 250;
const MOST_ROWS = 100_000;
const COLUMNS = ["id", "timestamp", "applicationId", "subject", "tokenId", "sessionId", "action", "target", "changes", "address"];
const TYPED_MS = 400;
const FORMULA = /^[=+\-@\t\r]/;

/** "#/audit", with the filters in the query of the address */
export function auditPage(page, signal, query = "") {
  const said = new URLSearchParams(query);
  const controls = {
    application: input({ placeholder: t("Id or uid") }),
    action: input({ placeholder: "endpoint.patch" }),
    subject: input({ placeholder: "org_… / app_…" }),
    target: input({ placeholder: t("Id, uid or name") }),
    from: input({ type: "date" }),
    to: input({ type: "date" }),
  };
  const fields = [
    field(t("Application"), controls.application),
    field(t("Action"), controls.action),
    field(t("Who"), controls.subject),
    field(t("Target"), controls.target),
    field(t("From"), controls.from),
    field(t("To"), controls.to),
  ];
  const list = h("ul", { class: "list" });
  const wait = loading();
  const none = empty("inbox", t("No changes"), t("What somebody changes through the API or the portal is told here."));
  const problem = h("p", { class: "problem card-body", role: "alert", hidden: true });
  const newer = button(t("Newer"), () => turnTo(back.pop()), {});
  const older = button(t("Older"), () => (back.push(iterator), turnTo(next)), {});
  const pager = h("nav", { class: "pager", "aria-label": t("Pages") }, newer, older);
  const back = [];
  let iterator;
  let next;
  let turn = 0;
  let typing;
  none.hidden = pager.hidden = true;

  function asked() {
    return {
      application: controls.application.value.trim(),
      action: controls.action.value.trim(),
      subject: controls.subject.value.trim(),
      target: controls.target.value.trim(),
      after: controls.from.value && midnight(controls.from.value).toISOString(),
      before: controls.to.value && midnight(controls.to.value, 1).toISOString(),
    };
  }

  function turnTo(place) {
    iterator = place;
    turn += 1;
    const words = Object.entries(controls).flatMap(([name, { value }]) => (value.trim() ? [[name, value.trim()]] : []));
    stay(`#/audit${words.length ? `?${new URLSearchParams(words)}` : ""}`);
    return refresh();
  }

  for (const [name, control] of Object.entries(controls)) {
    control.value = said.get(name) ?? "";
    control.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => ((back.length = 0), turnTo(undefined)), TYPED_MS);
    });
  }
  fill(
    page,
    h(
      "div",
      { class: "head" },
      h("div", {}, h("h1", {}, t("Audit log")), h("p", {}, t("Who changed what through the API and the portal. Messages are not in it."))),
      h("div", { class: "row" }, button(t("Download CSV"), () => save("csv"), { glyph: "download" }), button(t("Download JSON lines"), () => save("jsonl"), { glyph: "download" })),
    ),
    h(
      "section",
      { class: "card", "aria-label": t("List") },
      h("form", { class: "filters", role: "search", "aria-label": t("Filters"), on: { submit: (event) => event.preventDefault() } }, fields),
      wait,
      problem,
      none,
      list,
      pager,
    ),
  );

  const refresh = repeatedly(
    async () => {
      const mine = turn;
      try {
        const found = await get("audit-log", { ...asked(), limit: PER_PAGE, iterator }, signal);
        if (mine !== turn) return;
        next = found.iterator;
        wait.hidden = problem.hidden = true;
        none.hidden = found.data.length > 0;
        older.disabled = found.done || !next;
        newer.disabled = !back.length;
        pager.hidden = older.disabled && newer.disabled;
        reconcile(list, found.data, ({ id }) => id, entry);
      } catch (error) {
        if (error.name !== "AbortError" && !error.passing) {
          wait.hidden = true;
          problem.textContent = error.message;
          problem.hidden = false;
        }
        throw error;
      }
    },
    5_000,
    signal,
  );

  /** Save all matching entries, oldest first, as a file. */
  async function save(kind) {
    const lines = kind === "csv" ? [COLUMNS.join(",")] : [];
    let place;
    let done = false;
    let rows = 0;
    while (!done && rows < MOST_ROWS) {
      const found = await get("audit-log", { ...asked(), order: "ascending", limit: AT_ONCE, iterator: place }, signal);
      lines.push(...found.data.map((each) => (kind === "csv" ? COLUMNS.map((name) => cell(each[name])).join(",") : JSON.stringify(each))));
      rows += found.data.length;
      place = found.iterator;
      done = found.done || !place;
    }
    const url = URL.createObjectURL(new Blob([lines.map((line) => `${line}\n`).join("")], { type: "application/octet-stream" }));
    h("a", { href: url, download: `audit-log.${kind}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    toast(done ? t("{n} changes written", { n: rows }) : t("Only the first {n} were written; `webhook-engine audit export` writes all.", { n: rows }));
  }
}

/** A table cell; anything that a spreadsheet would take for a formula is turned into text. */
function cell(value) {
  const text = Array.isArray(value) ? value.join(", ") : String(value ?? "");
  return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

export function entry(each) {
  const place = placeOf(each);
  return h(
    "li",
    { class: "item item-audit" },
    h(
      "div",
      {},
      h("p", { class: "audit-what" }, h("span", { class: "code strong" }, each.action), each.target && " ", each.target && (place ? h("a", { class: "code", href: place }, each.target) : h("span", { class: "code" }, each.target))),
      each.changes.length > 0 && h("p", { class: "item-note" }, each.changes.join(", ")),
    ),
    h("p", { class: "small soft audit-who" }, h("span", { class: "code" }, [each.sessionId, each.subject].filter(Boolean).join(" · ")), each.address && h("span", {}, each.address)),
    h("span", { class: "item-when", title: fullTime(each.timestamp) }, when(each.timestamp, "")),
  );
}

/** The page of what was changed, if it still exists. */
function placeOf({ applicationId, target, action }) {
  if (!applicationId || !target || action.endsWith(".delete")) return undefined;
  if (/^ep_/.test(target)) return within(applicationId, `/endpoints/${target}`);
  if (/^msg_/.test(target)) return within(applicationId, `/messages/${target}`);
  return /^(application|authentication)\./.test(action) ? within(applicationId, "/manage") : undefined;
}
