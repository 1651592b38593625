// The portal's frame: opens the session, shows the page that the address names, and its navigation.

import { onEnd, get, app } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { exchange, keep, session, takeKey } from "./session.js";
import { button, loading } from "./ui.js";
import { entrance, ended, used, unreachable } from "./doors.js";
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

let leaving = new AbortController();
let main;
let links;

async function start() {
  leaving.abort();
  const key = takeKey();
  if (key !== undefined) {
    fill(document.body, h("main", { class: "alone" }, loading("Opening…")));
    try {
      await exchange(key);
    } catch (error) {
      if (error.status) used();
      else unreachable(() => (history.replaceState(null, "", `#key=${key}`), start()));
      return;
    }
  }
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
        operator && button("Sign out", () => (keep(undefined), start()), { kind: "plain", size: "tiny" }),
      ),
    ),
  );
  const skip = h("a", { class: "skip", href: "#main", on: { click: (event) => (event.preventDefault(), main.focus()) } }, "Skip to content");
  fill(document.body, skip, bar, main);
  const showName = () => {
    if (!session()?.application) return;
    get(app()).then((application) => (name.textContent = application.name), () => {});
  };
  addEventListener("application-chosen", showName);
  showName();
  show();
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
  const parameters = pattern.exec(location.hash).slice(1).map((part) => part && decodeURIComponent(part));
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

addEventListener("hashchange", show);
onEnd(() => {
  const { operator } = session();
  leaving.abort();
  keep(undefined);
  if (operator) entrance(start, "This token is not accepted, or not any more.");
  else ended();
});
start();
