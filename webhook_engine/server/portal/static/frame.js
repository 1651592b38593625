// The page in a frame of another one: it says how high it is, and listens to how it shall look. Who may frame it is
// decided by the policy that the server sends; whoever speaks to it is looked up in the same list.

import { parents, wear } from "./appearance.js";
import { LANGUAGES, language, speak } from "./language.js";
import { unsaved } from "./unsaved.js";

const NAME = "webhook-portal";
const FLOATING_PX = 48;
const SETTLED_MS = 30;

/** Whether this page is in a frame. */
export const framed = parent !== window;

/** Tell the page around this one. Only those that may frame this page are there to hear it, and none of it is secret. */
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
  // What is typed and not saved is worth more than its language.
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

/** Say that another page is shown, so that its beginning can be scrolled to. */
export function turned() {
  if (framed) tell({ turned: true });
}

if (framed) {
  document.documentElement.classList.add("framed");
  addEventListener("message", hear);
  new ResizeObserver(measure).observe(document.body);
  // A frame that cannot be seen is not laid out by itself, and would stay as small as it was.
  new MutationObserver(soon).observe(document.body, { childList: true, subtree: true });
  tell({ ready: true });
}
