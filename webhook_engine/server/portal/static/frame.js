// The page in a frame: it reports its height, and takes settings for its appearance. The server's policy decides who
// may frame it; messages are accepted from the same list of origins.

import { parents, wear } from "./appearance.js";
import { LANGUAGES, language, speak } from "./language.js";
import { unsaved } from "./unsaved.js";

const NAME = "webhook-portal";
const FLOATING_PX = 48;
const SETTLED_MS = 30;

/** Whether this page is in a frame. */
export const framed = parent !== window;

/** Send a message to the embedding page. Only pages that may frame this one receive it, and none of it is secret. */
function tell(what) {
  parent.postMessage({ source: NAME, ...what }, "*");
}

function allowed(origin) {
  return parents.some((each) => {
    if (!each.includes("//*.")) return new URL(each).origin === origin;
    const [scheme, rest] = each.split("//*");
    return origin.startsWith(`${scheme}//`) && origin.endsWith(rest) && origin.length > scheme.length + 2 + rest.length;
  });
}

function hear({ data, origin, source }) {
  if (source !== parent || data?.source !== NAME || !allowed(origin)) return;
  wear(data);
  if (typeof data.seenTop === "number") document.documentElement.style.setProperty("--seen-top", `${data.seenTop}px`);
  if (typeof data.seenBottom === "number") document.documentElement.style.setProperty("--seen-bottom", `${data.seenBottom}px`);
  // Unsaved input is worth more than the language.
  if (Object.hasOwn(LANGUAGES, data.language) && data.language !== language && !unsaved()) speak(data.language);
}

let told = 0;
let waiting;

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(measure, SETTLED_MS);
}

function measure() {
  const dialog = document.querySelector("dialog[open]");
  const bottom = dialog ? dialog.getBoundingClientRect().bottom + scrollY + FLOATING_PX : 0;
  const height = Math.ceil(Math.max(document.body.getBoundingClientRect().height, bottom));
  if (height !== told) tell({ height: (told = height) });
}

/** Report that another page is shown, so that the embedding page can scroll to its top. */
export function turned() {
  if (framed) tell({ turned: true });
}

if (framed) {
  document.documentElement.classList.add("framed");
  addEventListener("message", hear);
  new ResizeObserver(measure).observe(document.body);
  // A hidden frame is not laid out, and would keep its height.
  new MutationObserver(soon).observe(document.body, { childList: true, subtree: true });
  tell({ ready: true });
}
