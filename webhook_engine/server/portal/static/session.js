// The session: of one application, opened by a link that works once, or of an operator with a token. The token is kept
// only in the tabs of this page, survives a reload, and never becomes part of a URL.

import { t } from "./language.js";

const NAME = "webhook-engine.session";
const PREFIX = "#key=";

export const root = new URL(document.querySelector("meta[name=root]").content, location.href);

let current = read();

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(NAME)) ?? undefined;
  } catch {
    return undefined; // some browsers block storage for framed pages; then a reload requires a new link
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

// Tabs of one browser share a session: a link of the page works in a new tab, and after a session has ended with
// unsaved input, the page continues as soon as a new link is opened in another tab.
const ANSWER_MS = 250;
const others = channel();
const listeners = [];
let seenAt = Date.now();

function channel() {
  try {
    return new BroadcastChannel(NAME);
  } catch {
    return undefined; // some browsers block this for framed pages, like storage
  }
}

addEventListener("focus", () => (seenAt = Date.now()));
others?.addEventListener("message", ({ data }) => {
  if (data.ask && current) others.postMessage({ answer: data.ask, session: current, seenAt });
  if (data.begun) listeners.forEach((listener) => listener(data.begun));
});

/** Call `listener` with each session that begins in another tab. */
export function onBegun(listener) {
  listeners.push(listener);
}

/** Take over the session of the most recently used tab, if there is one. */
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

/** Whether the session has a capability; an operator has all. */
export function may(capability) {
  return !current?.capabilities || current.capabilities.includes(capability);
}

/** Take the key from the address; it is removed from there and from the history at once. */
export function takeKey() {
  if (!location.hash.startsWith(PREFIX)) return undefined;
  const key = location.hash.slice(PREFIX.length);
  history.replaceState(null, "", location.pathname + location.search);
  return key;
}

/** Open a session with the key of a link; throws an error that is `refused` if the key is invalid. */
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
  // An unavailable server says nothing about the link.
  const refused = response.status < 500 && response.status !== 429;
  if (!response.ok) throw Object.assign(new Error(t("The link is not accepted.")), { refused });
  const { token, applicationId, capabilities } = await response.json();
  const operator = !applicationId;
  keep({ token, application: applicationId ?? undefined, capabilities: capabilities ?? null, operator });
  if (operator) history.replaceState(null, "", "#/overview");
  others?.postMessage({ begun: current });
}

/** Begin a session with a token that was typed in; an organization's token gives access to every application. */
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
