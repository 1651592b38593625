// Examples that somebody has made for their own tests. They stay in the browser: they are of one person and of passing
// worth, and may have real data in them, which nobody else shall find on a server.

import { session } from "./session.js";

const NAME = "webhook-engine.examples";
const MOST = 50;
const LONGEST = 64_000;

function all() {
  try {
    const kept = JSON.parse(localStorage.getItem(NAME)) ?? {};
    return typeof kept === "object" ? kept : {};
  } catch {
    return {}; // storage is closed to pages in frames in some browsers
  }
}

/** Those for an event type: `{ type, name, text }`. */
export function ownExamples(type) {
  const kept = all()[session().application];
  return Array.isArray(kept) ? kept.filter((each) => each.type === type && typeof each.text === "string") : [];
}

/** Keep one, in the place of one of the same name; says whether that could be done. */
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
