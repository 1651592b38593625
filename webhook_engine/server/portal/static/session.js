// Who uses the page: a session of one application, opened by a link that works once, or an operator with a token.
// The token lives in this tab alone, survives a reload, and never becomes part of a URL.

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

/** Open a session with the key of a link; throws an error whose `status` is 401 if the key is no good. */
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
    throw Object.assign(new Error("The server cannot be reached."), { status: 0 });
  }
  if (!response.ok) throw Object.assign(new Error("The link is not accepted."), { status: response.status });
  const { token, applicationId, capabilities } = await response.json();
  keep({ token, application: applicationId, capabilities: capabilities ?? null, operator: false });
}

/** Begin with a token that somebody typed in; that of an organization shows every application. */
export function begin(token) {
  const claims = claimsOf(token);
  if (!claims?.sub) throw new Error("This is not an API token; `webhook-engine token` prints one.");
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
