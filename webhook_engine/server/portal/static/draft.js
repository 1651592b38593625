// The unsaved input of a new endpoint: it survives a reload, and the end of the session.

import { session } from "./session.js";

const NAME = "webhook-engine.draft";

/** The draft of this application, if any. */
export function draft() {
  try {
    const { application, values } = JSON.parse(sessionStorage.getItem(NAME)) ?? {};
    return application === session().application ? values : undefined;
  } catch {
    return undefined; // some browsers block storage for framed pages
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
