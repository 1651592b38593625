// How the attempts of an endpoint went lately.

import { app, get } from "./api.js";

/**
 * What the last attempt says of an endpoint as it is now: whether its URL is `blocked`, and whether it is `failing`, of
 * which nothing is known any more once it was edited or enabled.
 */
export async function latestOf(endpoint, signal) {
  const query = { limit: 1, with_content: false, with_failure: true };
  const { data } = await get(app("attempt", "endpoint", endpoint.id), query, signal);
  const [last] = data;
  if (!last || last.url !== endpoint.url) return { blocked: false, failing: false };
  const failing = last.status !== 0 && Date.parse(last.timestamp) > Date.parse(endpoint.updatedAt);
  return { blocked: last.failure === "blocked", failing };
}
