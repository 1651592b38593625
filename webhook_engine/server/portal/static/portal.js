// The portal's frame: opens the session, shows the page that the address names, and its navigation.

import { app, eventually, get, onEnd, onReach } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { borrow, exchange, keep, onBegun, session, takeKey } from "./session.js";
import { button, loading, toast } from "./ui.js";
import { ended, endedWhileTyping, entrance, unreachable, used } from "./doors.js";
import { applicationsPage } from "./applications.js";
import { cataloguePage } from "./catalogue.js";
import { endpointPage } from "./endpoint.js";
import { newEndpointPage } from "./endpoint_form.js";
import { endpointsPage } from "./endpoints.js";
import { messagePage } from "./message.js";
import { messagesPage } from "./messages.js";

const ROUTES = [
  [/^#\/endpoints\/new$/, newEndpointPage, "Endpoints"],
  [/^#\/endpoints\/([^/?]+)(?:\?tab=(\w+))?$/, endpointPage, "Endpoints"],
  [/^#\/messages$/, messagesPage, "Messages"],
  [/^#\/messages\/([^/?]+)$/, messagePage, "Messages"],
  [/^#\/catalogue$/, cataloguePage, "Event catalogue"],
  [/^#\/applications$/, applicationsPage, ""],
  [/^/, endpointsPage, "Endpoints"],
];

const PROBE_MS = 1_500;
const DEEP = /^#\/./;

let leaving = new AbortController();
const away = h("div", { class: "away", role: "status" });
let ending;
let main;
let links;
let naming;

async function start() {
  leaving.abort();
  const key = takeKey();
  if (key !== undefined) {
    fill(document.body, h("main", { class: "alone" }, loading("Opening…")));
    try {
      await exchange(key);
    } catch (error) {
      if (error.refused) used();
      else unreachable(() => (history.replaceState(null, "", `#key=${key}`), start()));
      return;
    }
  }
  // Somebody opened a page of the portal in a new tab.
  if (!session() && DEEP.test(location.hash)) await borrow();
  if (session()) lay();
  else entrance(start);
}

function lay() {
  const { operator } = session();
  main = h("main", { id: "main", tabindex: "-1" });
  links = [
    ["Endpoints", "#/endpoints"],
    ["Messages", "#/messages"],
    ["Event catalogue", "#/catalogue"],
  ].map(([name, href]) => h("a", { href }, name));
  const name = h("span", { class: "brand-name" }, "Webhooks");
  const bar = h(
    "header",
    { class: "bar" },
    h(
      "div",
      { class: "bar-inner" },
      h("div", { class: "brand" }, icon("hook", 24), name),
      h("nav", { class: "nav", "aria-label": "Main" }, links),
      h(
        "div",
        { class: "bar-end" },
        operator && h("a", { class: "button plain tiny", href: "#/applications" }, "Applications"),
        operator && button("Sign out", signOut, { kind: "plain", size: "tiny" }),
      ),
    ),
    away,
  );
  const skip = h("a", { class: "skip", href: "#main", on: { click: (event) => (event.preventDefault(), main.focus()) } }, "Skip to content");
  fill(document.body, skip, bar, main);
  naming = () => {
    if (!session()?.application) return;
    const read = eventually(() => get(app()), new AbortController().signal);
    read.then((application) => ((name.textContent = application.name), (name.title = application.name)), () => {});
  };
  naming();
  show();
}

function signOut() {
  leaving.abort();
  keep(undefined);
  history.replaceState(null, "", location.pathname);
  start();
}

/** Show the page that the address names; `moved` says that the person came from another one. */
function show(moved) {
  if (location.hash.startsWith("#key=")) return void start();
  if (!session() || !main?.isConnected) return;
  leaving.abort();
  leaving = new AbortController();
  if (session().operator && !session().application && location.hash !== "#/applications") {
    location.replace("#/applications");
    return;
  }
  const [pattern, page, section] = ROUTES.find(([each]) => each.test(location.hash));
  const parameters = pattern.exec(location.hash).slice(1).map((part) => part && decoded(part));
  const chosen = Boolean(session().application);
  for (const link of links) {
    link.hidden = !chosen;
    if (link.textContent === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const inner = h("div", {});
  fill(main, inner);
  page(inner, leaving.signal, ...parameters);
  scrollTo(0, 0);
  const heading = main.querySelector("h1");
  document.title = heading ? `${heading.textContent} · Webhooks` : "Webhooks";
  if (moved && document.activeElement === document.body) main.focus({ preventScroll: true });
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

addEventListener("hashchange", show);
addEventListener("application-chosen", () => naming());

onEnd(() => {
  const { application, operator } = session();
  keep(undefined);
  if (operator) {
    leaving.abort();
    entrance(start, "This token is not accepted, or not any more.");
  } else if (main?.querySelector("form[data-typed]")) {
    ending = { application, close: endedWhileTyping() };
  } else {
    leaving.abort();
    ending = { application };
    ended();
  }
});

onBegun((begun) => {
  if (session() || begun.application !== ending?.application) return;
  const { close } = ending;
  ending = undefined;
  keep(begun);
  if (!close) return void start();
  close();
  toast("You are signed in again");
  dispatchEvent(new Event("session-resumed"));
});

onReach(async (reached) => {
  if (reached) return void fill(away);
  fill(away, icon("warning", 16), "The server cannot be reached. This page tries again by itself.");
  while (away.firstChild && session()) {
    await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
    await get("health/ping").catch(() => {});
  }
});

start();
