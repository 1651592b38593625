// What was typed on the page and is not saved yet: nobody leaves it behind without being asked.

import { t } from "./language.js";
import { confirm } from "./ui.js";

const UNSAVED = "form[data-unsaved]";

/** Say of a form whether it holds something that would be lost. */
export function mark(form, unsaved) {
  if (unsaved) form.dataset.unsaved = "";
  else delete form.dataset.unsaved;
}

/** Whether there is something within an element that would be lost with it. */
export function unsaved(within = document) {
  return within.querySelector(UNSAVED) !== null;
}

/** Give up what is not saved: it is decided. */
export function discard(within = document) {
  for (const form of within.querySelectorAll(UNSAVED)) mark(form, false);
}

/** Ask whether to leave what is not saved behind; resolves to whether to go. */
export async function leaving(within = document) {
  if (!unsaved(within)) return true;
  const text = t("What you changed here is not saved yet, and would be lost.");
  if (!(await confirm(t("Leave without saving?"), text, t("Leave without saving"), "danger", t("Stay here")))) return false;
  discard(within);
  return true;
}

let address = location.href;
let asking = false;

/** Call `arrive` when the address has changed to another page, after asking about what is not saved. */
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
    // The step was made already, by "Back" or "Forward" of the browser: undo it, ask, and make it again. The new entry
    // takes the place of those that followed, so that the way back leads where the step led to.
    history.pushState(null, "", address);
    if (asking) return;
    asking = true;
    leaving().then((go) => {
      asking = false;
      if (go) history.back();
    });
  });
}

/** Another address for the page that is shown. */
export function stay(hash) {
  history.replaceState(null, "", hash);
  address = location.href;
}
