// A user's own examples for tests. They are kept in the browser only: they are personal and temporary, and may contain
// real data, which must not be visible to others through a server.

import { session } from "./session.js";

const NAME = "webhook-engine.examples";
const MOST = 50;
const LONGEST = 64_000;

function all() {
  try {
    const kept = JSON.parse(localStorage.getItem(NAME)) ?? {};
    return typeof kept === "object" ? kept : {};
  } catch {
    return {}; // some browsers block storage for framed pages
  }
}

/** The examples for an event type: `{ type, name, text }`. */
export function ownExamples(type) {
  const kept = all()[session().application];
  return Array.isArray(kept) ? kept.filter((each) => each.type === type && typeof each.text === "string") : [];
}

/** Store an example, replacing one with the same name; returns whether that succeeded. */
export function keepExample(type, name, text) {
  if (text.length > LONGEST) return false;
  const { application } = session();
  const others = (all()[application] ?? []).filter((each) => each.type !== type || each.name !== name);
  return write(application, [{ type, name, text }, ...others].slice(0, MOST));
}

export function forgetExample(type, name) {
  const { application } = session();
  write(application, (all()[application] ?? []).filter((each) => each.type !== type || each.name !== name));
}

function write(application, kept) {
  try {
    localStorage.setItem(NAME, JSON.stringify({ ...all(), [application]: kept }));
    return true;
  } catch {
    return false;
  }
}
