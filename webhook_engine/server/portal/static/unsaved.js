// Unsaved input on the page: the user is asked before leaving it.

import { t } from "./language.js";
import { confirm } from "./ui.js";

const UNSAVED = "form[data-unsaved]";

/** Mark whether a form has unsaved input. */
export function mark(form, unsaved) {
  if (unsaved) form.dataset.unsaved = "";
  else delete form.dataset.unsaved;
}

/** Whether an element contains unsaved input. */
export function unsaved(within = document) {
  return within.querySelector(UNSAVED) !== null;
}

/** Discard unsaved input, after the user has agreed. */
export function discard(within = document) {
  for (const form of within.querySelectorAll(UNSAVED)) mark(form, false);
}

/** Ask whether to discard unsaved input; resolves to whether to leave. */
export async function leaving(within = document) {
  if (!unsaved(within)) return true;
  const text = t("What you changed here is not saved yet, and would be lost.");
  if (!(await confirm(t("Leave without saving?"), text, t("Leave without saving"), "danger", t("Stay here")))) return false;
  discard(within);
  return true;
}

let address = location.href;
let asking = false;

/** Call `arrive` when the address has changed to another page, after asking about unsaved input. */
export function guard(arrive) {
  addEventListener("beforeunload", (event) => {
    if (unsaved()) event.preventDefault();
  });
  addEventListener(
    "click",
    (event) => {
      const link = event.target instanceof Element && event.target.closest("a[href^='#']");
      const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || link?.target;
      if (!link || elsewhere || link.classList.contains("skip") || !unsaved()) return;
      event.preventDefault();
      event.stopPropagation();
      leaving().then((go) => go && link.click());
    },
    { capture: true },
  );
  addEventListener("hashchange", () => {
    if (!unsaved()) {
      address = location.href;
      arrive();
      return;
    }
    // The browser has already gone back or forward: undo that, ask, and repeat it. The new entry replaces those after
    // it, so that going back leads to where that step led.
    history.pushState(null, "", address);
    if (asking) return;
    asking = true;
    leaving().then((go) => {
      asking = false;
      if (go) history.back();
    });
  });
}

/** Change the address without changing the page. */
export function stay(hash) {
  history.replaceState(null, "", hash);
  address = location.href;
}
