// The public JSON API, with the token of the session.

import { root, session } from "./session.js";

const listeners = [];

/** Call when the session has ended. */
export function onEnd(listener) {
  listeners.push(listener);
}

/** What the API refused, in words; `problems` are [field, text] where single fields were wrong. */
export class ApiError extends Error {
  constructor(status, message, problems = []) {
    super(message);
    this.status = status;
    this.problems = problems;
  }

  get fatal() {
    return this.status === 401;
  }
}

/** The text of an answer; raises `ApiError`. Values of the query that are undefined or empty are left out. */
export async function text(method, path, { query = {}, body, signal } = {}) {
  const url = new URL(`api/v1/${path}`, root);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const { token } = session() ?? {};
  let response;
  try {
    response = await fetch(url, {
      method,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      credentials: "omit",
      cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server cannot be reached. Check your connection; this page keeps trying.");
  }
  const answer = await response.text();
  if (response.ok) return answer;
  const error = refusal(response.status, answer);
  if (error.fatal && session()?.token === token) listeners.forEach((listener) => listener());
  throw error;
}

export async function api(method, path, options) {
  const answer = await text(method, path, options);
  return answer ? JSON.parse(answer) : undefined;
}

export const get = (path, query, signal) => api("GET", path, { query, signal });

/** A path of the session's application: `app("endpoint", id)`; each part is encoded. */
export function app(...parts) {
  return ["app", session().application, ...parts].map(encodeURIComponent).join("/");
}

/** All pages of a list, up to `most` items. */
export async function all(path, query, signal, most = 1_000) {
  const items = [];
  let iterator;
  while (items.length < most) {
    const page = await get(path, { limit: 250, ...query, iterator }, signal);
    items.push(...page.data);
    if (page.done || !page.iterator) break;
    iterator = page.iterator;
  }
  return items;
}

const WORDS = {
  403: "Your access does not allow this. Ask whoever gave you the link.",
  404: "This does not exist (any more).",
  429: "Too many requests; try again in a moment.",
  503: "The server is busy; try again in a moment.",
};

function refusal(status, answer) {
  let detail;
  try {
    ({ detail } = JSON.parse(answer));
  } catch {
    detail = undefined;
  }
  if (Array.isArray(detail)) {
    const problems = detail.map(({ loc, msg }) => [loc?.[1] ?? "", msg]);
    return new ApiError(status, problems.map(([, message]) => message).join(" "), problems);
  }
  return new ApiError(status, WORDS[status] ?? detail ?? `The server answered ${status}.`);
}
