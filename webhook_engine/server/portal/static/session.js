// Who uses the page: a session of one application, opened by a link that works once, or an operator with a token.
// The token lives in the tabs of this page alone, survives a reload, and never becomes part of a URL.

import { t } from "./language.js";

const NAME = "webhook-engine.session";
const PREFIX = "#key=";

export const root = new URL(document.querySelector("meta[name=root]").content, location.href);

let current = read();

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(NAME)) ?? undefined;
  } catch {
    return undefined; // storage is closed to pages in frames in some browsers; then a reload asks for a new link
  }
}

export function session() {
  return current;
}

export function keep(next) {
  current = next;
  try {
    if (next) sessionStorage.setItem(NAME, JSON.stringify(next));
    else sessionStorage.removeItem(NAME);
  } catch {
    // see above
  }
}

// Tabs of one browser help each other: a link of the page that is opened in a new tab works there, too, and where a
// session has ended while somebody was typing, the page goes on as soon as a new link was opened in another tab.
const ANSWER_MS = 250;
const others = channel();
const listeners = [];
let seenAt = Date.now();

function channel() {
  try {
    return new BroadcastChannel(NAME);
  } catch {
    return undefined; // closed like storage to pages in frames in some browsers
  }
}

addEventListener("focus", () => (seenAt = Date.now()));
others?.addEventListener("message", ({ data }) => {
  if (data.ask && current) others.postMessage({ answer: data.ask, session: current, seenAt });
  if (data.begun) listeners.forEach((listener) => listener(data.begun));
});

/** Call with each session that begins in another tab. */
export function onBegun(listener) {
  listeners.push(listener);
}

/** Take over the session of the tab that was used last, if there is one. */
export function borrow() {
  if (!others) return Promise.resolve();
  const ask = crypto.getRandomValues(new Uint32Array(2)).join("-");
  let best;
  return new Promise((resolve) => {
    const hear = ({ data }) => {
      if (data.answer === ask && !(best?.seenAt > data.seenAt)) best = data;
    };
    others.addEventListener("message", hear);
    others.postMessage({ ask });
    setTimeout(() => {
      others.removeEventListener("message", hear);
      if (best) keep(best.session);
      resolve();
    }, ANSWER_MS);
  });
}

/** Whether the session allows something; an operator may do everything. */
export function may(capability) {
  return !current?.capabilities || current.capabilities.includes(capability);
}

/** The key in the address, which is removed from there and from the history at once. */
export function takeKey() {
  if (!location.hash.startsWith(PREFIX)) return undefined;
  const key = location.hash.slice(PREFIX.length);
  history.replaceState(null, "", location.pathname + location.search);
  return key;
}

/** Open a session with the key of a link; throws an error that is `refused` if the key is no good. */
export async function exchange(key) {
  keep(undefined);
  let response;
  try {
    response = await fetch(new URL("api/v1/auth/portal-session", root), {
      method: "POST",
      body: JSON.stringify({ key }),
      headers: { "content-type": "application/json" },
      credentials: "omit",
      cache: "no-store",
    });
  } catch {
    throw Object.assign(new Error(t("The server cannot be reached.")), { refused: false });
  }
  // A server that is away or busy says nothing about the link.
  const refused = response.status < 500 && response.status !== 429;
  if (!response.ok) throw Object.assign(new Error(t("The link is not accepted.")), { refused });
  const { token, applicationId, capabilities } = await response.json();
  const operator = !applicationId;
  keep({ token, application: applicationId ?? undefined, capabilities: capabilities ?? null, operator });
  if (operator) history.replaceState(null, "", "#/overview");
  others?.postMessage({ begun: current });
}

/** Begin with a token that somebody typed in; that of an organization shows every application. */
export function begin(token) {
  const claims = claimsOf(token);
  if (!claims?.sub) throw new Error(t("This is not an API token; `webhook-engine token` prints one."));
  const operator = !claims.org;
  keep({
    token,
    application: operator ? undefined : claims.sub,
    capabilities: claims.capabilities ?? null,
    operator,
  });
}

function claimsOf(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(atob(part));
  } catch {
    return undefined;
  }
}
