// The portal's frame: opens the session, shows the page that the address names, and its navigation.

import { decoded, placed, to } from "./address.js";
import { app, eventually, get, onEnd, onReach } from "./api.js";
import { fill, h, icon, shownText } from "./dom.js";
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
import { guard, leaving } from "./unsaved.js";

const APPLICATIONS = "#/applications";
const ROUTES = [
  [/^\/endpoints\/new$/, newEndpointPage, "Endpoints"],
  [/^\/endpoints\/([^/?]+)(?:\?tab=(\w+))?$/, endpointPage, "Endpoints"],
  [/^\/messages$/, messagesPage, "Messages"],
  [/^\/messages\/([^/?]+)$/, messagePage, "Messages"],
  [/^\/catalogue$/, cataloguePage, "Event catalogue"],
  [/^/, endpointsPage, "Endpoints"],
];
const SECTIONS = [
  ["Endpoints", "/endpoints"],
  ["Messages", "/messages"],
  ["Event catalogue", "/catalogue"],
];

const PROBE_MS = 1_500;
const DEEP = /^#\/./;

let shown = new AbortController();
const away = h("div", { class: "away", role: "status" });
let ending;
let main;
let links;
let name;

async function start() {
  shown.abort();
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
  links = SECTIONS.map(([section]) => h("a", {}, section));
  name = h("span", { class: "brand-name" }, "Webhooks");
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
        operator && h("a", { class: "button plain tiny", href: APPLICATIONS }, "Applications"),
        operator && button("Sign out", signOut, { kind: "plain", size: "tiny" }),
      ),
    ),
    away,
  );
  const skip = h("a", { class: "skip", href: "#main", on: { click: (event) => (event.preventDefault(), main.focus()) } }, "Skip to content");
  fill(document.body, skip, bar, main);
  if (!operator) callByName();
  show();
}

/** Put the name of the application that is shown into the bar. */
function callByName() {
  const { application } = session();
  fill(name, "Webhooks");
  name.removeAttribute("title");
  if (!application) return;
  const read = eventually(() => get(app()), new AbortController().signal);
  read.then(
    (found) => {
      if (session()?.application !== application) return;
      fill(name, found.name);
      name.title = shownText(found.name);
    },
    () => {},
  );
}

async function signOut() {
  if (!(await leaving())) return;
  shown.abort();
  keep(undefined);
  history.replaceState(null, "", location.pathname);
  start();
}

/** Show the page that the address names; `moved` says that the person came from another one. */
function show(moved) {
  if (location.hash.startsWith("#key=")) return void start();
  if (!session() || !main?.isConnected) return;
  shown.abort();
  shown = new AbortController();
  const { application, path } = placed(location.hash);
  if (session().operator) {
    if (!application && location.hash !== APPLICATIONS) return void location.replace(APPLICATIONS);
    if (session().application !== application || !name.title) {
      keep({ ...session(), application });
      callByName();
    }
  } else if (application) {
    // An operator's link in the hands of a consumer: the page is the same, of the consumer's own application.
    return void location.replace(`#${path}`);
  }
  const listing = session().operator && !application;
  const [pattern, page, section] = listing ? [/^/, applicationsPage, ""] : ROUTES.find(([each]) => each.test(path));
  const parameters = pattern.exec(path).slice(1).map((part) => part && decoded(part));
  links.forEach((link, place) => {
    link.hidden = listing;
    if (!listing) link.href = to(SECTIONS[place][1]);
    if (link.textContent === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
  const inner = h("div", {});
  fill(main, inner);
  page(inner, shown.signal, ...parameters);
  scrollTo(0, 0);
  const heading = main.querySelector("h1");
  document.title = heading ? `${heading.textContent} · Webhooks` : "Webhooks";
  if (moved && document.activeElement === document.body) main.focus({ preventScroll: true });
}

guard(() => show(true));

onEnd(() => {
  const { application, operator } = session();
  keep(undefined);
  if (operator) {
    shown.abort();
    entrance(start, "This token is not accepted, or not any more.");
  } else if (main?.querySelector("form[data-typed], form[data-unsaved]")) {
    ending = { application, close: endedWhileTyping() };
  } else {
    shown.abort();
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
