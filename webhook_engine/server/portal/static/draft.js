// What was typed for a new endpoint and is not saved yet: it outlives a reload, and a session that ends.

import { session } from "./session.js";

const NAME = "webhook-engine.draft";

/** The values that were typed for this application, if any. */
export function draft() {
  try {
    const { application, values } = JSON.parse(sessionStorage.getItem(NAME)) ?? {};
    return application === session().application ? values : undefined;
  } catch {
    return undefined; // storage is closed to pages in frames in some browsers
  }
}

export function keepDraft(values) {
  try {
    sessionStorage.setItem(NAME, JSON.stringify({ application: session().application, values }));
  } catch {
    // see above
  }
}

export function clearDraft() {
  try {
    sessionStorage.removeItem(NAME);
  } catch {
    // see above
  }
}
