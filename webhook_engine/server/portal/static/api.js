// Calls the public JSON API with the token of the session.

import { root, session } from "./session.js";
import { refusalWords } from "./words.js";

const PATIENCE_MS = 30_000;
const MAX_PAGE = 250;
const AGAIN_MS = 1_500;
const PASSING = [0, 429, 502, 503, 504];

const listeners = [];
const watchers = [];
let reached = true;

/** Call `listener` when the session has ended. */
export function onEnd(listener) {
  listeners.push(listener);
}

/** Call `watcher` with whether the server is reachable, whenever that changes. */
export function onReach(watcher) {
  watchers.push(watcher);
}

function tell(now) {
  if (now === reached) return;
  reached = now;
  for (const watcher of watchers) watcher(now);
}

/** An error of the API, in words; `problems` are those of single fields: see `refusalWords`. */
export class ApiError extends Error {
  constructor(status, message, problems = []) {
    super(message);
    this.status = status;
    this.problems = problems;
  }

  get fatal() {
    return this.status === 401;
  }

  /** Whether a retry may succeed. */
  get passing() {
    return PASSING.includes(this.status);
  }
}

/**
 * The text of a response; throws `ApiError`. Undefined and empty query values are left out. Requests with the same
 * `onceKey` are executed once, so that one can be repeated when its response was lost. `json` is a body that is already
 * encoded.
 */
export async function text(method, path, { query = {}, body, json, signal, onceKey } = {}) {
  const url = new URL(`api/v1/${path}`, root);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const sent = body === undefined ? json : JSON.stringify(body);
  const { token } = session() ?? {};
  if (!token) throw refusal(401);
  let response;
  let answer;
  try {
    response = await fetch(url, {
      method,
      signal: patient(signal),
      body: sent,
      headers: {
        authorization: `Bearer ${token}`,
        ...(sent === undefined ? {} : { "content-type": "application/json" }),
        ...(onceKey ? { "idempotency-key": onceKey } : {}),
      },
      credentials: "omit",
      cache: "no-store",
    });
    answer = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    tell(false);
    throw refusal(0);
  }
  // A proxy answers like this while the server behind it is down.
  tell(![502, 504].includes(response.status));
  if (response.ok) return answer;
  const error = refusal(response.status, answer);
  if (error.fatal && session()?.token === token) listeners.forEach((listener) => listener());
  throw error;
}

/** A signal that aborts with `signal`, or after a timeout. */
function patient(signal) {
  const limit = AbortSignal.timeout(PATIENCE_MS);
  if (!signal) return limit;
  return AbortSignal.any ? AbortSignal.any([signal, limit]) : signal;
}

/** The result of `work`; while the server is unavailable, it is tried again until `signal` aborts. */
export async function eventually(work, signal) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!error.passing || signal.aborted) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    signal.throwIfAborted();
  }
}

export async function api(method, path, options) {
  const answer = await text(method, path, options);
  return answer ? JSON.parse(answer) : undefined;
}

export const get = (path, query, signal) => api("GET", path, { query, signal });

/** A path below the session's application: `app("endpoint", id)`; each segment is encoded. */
export function app(...parts) {
  return ["app", session()?.application ?? "", ...parts].map(encodeURIComponent).join("/");
}

/** The first `most` items of a list, and whether the list has no more. */
export async function upTo(most, path, query, signal) {
  const data = [];
  let iterator;
  let done = false;
  while (!done && data.length < most) {
    const page = await get(path, { ...query, limit: Math.min(MAX_PAGE, most - data.length), iterator }, signal);
    data.push(...page.data);
    ({ iterator } = page);
    done = page.done || !iterator;
  }
  return { data, done };
}

/** All pages of a list, up to `most` items. */
export async function all(path, query, signal, most = 1_000) {
  return (await upTo(most, path, query, signal)).data;
}

function refusal(status, answer) {
  const [words, problems] = refusalWords(status, answer);
  return new ApiError(status, words, problems);
}
