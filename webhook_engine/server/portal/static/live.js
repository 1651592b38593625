// Receives notices of changes instead of polling: one stream for the current application, while the page is visible.
// Without a stream, pages poll as usual.

import { root, session } from "./session.js";
import { hearing, somethingChanged } from "./ui.js";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const SETTLED_MS = 1_500;
const SILENT_MS = 40_000;
const REFUSED = [401, 403, 404, 405, 501];

let open = false;
let trying = false;
let current;
let settling;

hearing(() => open);

/** Subscribe to the current application. */
export function listen() {
  if (current && (current.application !== session()?.application || current.token !== session()?.token)) current.end.abort();
  // A page that is visible only for a moment needs no stream.
  clearTimeout(settling);
  settling = setTimeout(keepOpen, SETTLED_MS);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) current?.end.abort();
  else keepOpen();
});

const wanted = () => !document.hidden && session()?.application;

async function keepOpen() {
  if (trying) return;
  trying = true;
  let pauseMs = FIRST_PAUSE_MS;
  while (wanted()) {
    const { application, token } = session();
    current = { application, token, end: new AbortController() };
    const began = Date.now();
    const refused = await follow(current).catch(() => false);
    const heard = open;
    open = false;
    const meant = current.end.signal.aborted;
    current = undefined;
    // Refresh what may have changed while there was no stream.
    if (heard && !document.hidden) somethingChanged();
    if (refused) break;
    if (meant) continue;
    pauseMs = Date.now() - began > LONGEST_PAUSE_MS ? FIRST_PAUSE_MS : Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  trying = false;
}

/** Read a stream to its end; returns whether the server offers none for this session. */
async function follow({ application, token, end }) {
  const address = new URL(`api/v1/app/${encodeURIComponent(application)}/changes`, root);
  const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream" };
  const response = await fetch(address, { headers, signal: end.signal, credentials: "omit", cache: "no-store" });
  if (!response.ok || !response.body) return REFUSED.includes(response.status);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let silent;
  const stay = () => {
    clearTimeout(silent);
    silent = setTimeout(() => reader.cancel().catch(() => {}), SILENT_MS);
  };
  try {
    for (;;) {
      stay();
      const { value, done } = await reader.read();
      if (done) return false;
      text += value;
      const parts = text.split("\n\n");
      text = parts.pop();
      const news = parts.some((part) => part.startsWith("event: changed"));
      const first = !open && parts.some((part) => part.includes("event: open"));
      if (first) open = true;
      if (first || news) somethingChanged();
    }
  } finally {
    clearTimeout(silent);
  }
}
