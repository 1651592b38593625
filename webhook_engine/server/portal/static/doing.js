// The recent results of an endpoint.

import { app, get } from "./api.js";

/**
 * What the last attempt says about the endpoint now: whether its URL is `blocked`, and whether it is `failing`. After
 * an edit or being enabled, the latter is unknown.
 */
export async function latestOf(endpoint, signal) {
  const query = { limit: 1, with_content: false, with_failure: true };
  const { data } = await get(app("attempt", "endpoint", endpoint.id), query, signal);
  const [last] = data;
  if (!last || last.url !== endpoint.url) return { blocked: false, failing: false };
  const failing = last.status !== 0 && Date.parse(last.timestamp) > Date.parse(endpoint.updatedAt);
  return { blocked: last.failure === "blocked", failing };
}
