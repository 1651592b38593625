// The frame of the portal: opens the session, shows the page of the address, and the navigation.

import { docsUrl, homeUrl, logo, name as platform, worn } from "./appearance.js";
import { link as said } from "./arrival.js";
import { decoded, placed, to } from "./address.js";
import { app, eventually, get, onEnd, onReach } from "./api.js";
import { fill, h, icon, shownText } from "./dom.js";
import { alsoSay, t } from "./language.js";
import { listen } from "./live.js";
import { framed, turned } from "./frame.js";
import { borrow, exchange, keep, onBegun, session, takeKey } from "./session.js";
import { button, languageChoice, loading, toast } from "./ui.js";
import { ended, endedWhileTyping, entrance, unreachable, used } from "./doors.js";
import { titled } from "./titles.js";
import { guard, leaving, stay } from "./unsaved.js";

const APPLICATIONS = "#/applications";
// Each page is loaded when it is first shown; the texts of all further pages come with the first of them.
const FIRST = async () => (await import("./endpoints.js")).endpointsPage;
const ROUTES = [
  [/^\/endpoints\/new$/, async () => (await import("./endpoint_form.js")).newEndpointPage, t("Endpoints")],
  [/^\/endpoints\/([^/?]+)(?:\?tab=(\w+))?$/, async () => (await import("./endpoint.js")).endpointPage, t("Endpoints")],
  [/^\/messages(?:\?(.*))?$/, async () => (await import("./messages.js")).messagesPage, t("Messages")],
  [/^\/messages\/([^/?]+)(?:\?attempt=(\w+))?$/, async () => (await import("./message.js")).messagePage, t("Messages")],
  [/^\/statistics$/, async () => (await import("./statistics.js")).statisticsPage, t("Statistics")],
  [/^\/alerts$/, async () => (await import("./alerts.js")).alertsPage, t("Endpoints")],
  [/^\/catalogue$/, async () => (await import("./catalogue.js")).cataloguePage, t("Event catalogue")],
  [/^/, FIRST, t("Endpoints")],
];
// The operator's pages on all applications.
const OPERATOR_ROUTES = [
  [/^\/overview(?:\?(.*))?$/, async () => (await import("./operator.js")).overviewPage, "/overview"],
  [/^\/applications$/, async () => (await import("./applications.js")).applicationsPage, "/applications"],
  [/^\/event-types$/, async () => (await import("./operator_types.js")).eventTypesPage, "/event-types"],
  [/^\/audit(?:\?(.*))?$/, async () => (await import("./operator_audit.js")).auditPage, "/audit"],
];
const MANAGE = [/^\/manage$/, async () => (await import("./operator_manage.js")).managePage, t("Manage")];
const OPERATOR_SECTIONS = [
  [t("Overview"), "/overview"],
  [t("Applications"), "/applications"],
  [t("Event types"), "/event-types"],
  [t("Audit log"), "/audit"],
];
const SECTIONS = [
  [t("Endpoints"), "/endpoints"],
  [t("Messages"), "/messages"],
  [t("Statistics"), "/statistics"],
  [t("Event catalogue"), "/catalogue"],
];

const PROBE_MS = 1_500;
const DEEP = /^#\/./;
const NEXT = /^\/[\w][^\s#]*$/;
// Redirects for links made for other portals.
const OTHER_NAMES = [[/^\/event-types\b.*/, "/catalogue"], [/^\/(logs|activity)\b.*/, "/messages"]];

let shown = new AbortController();
const away = h("div", { class: "away", role: "status" });
let ending;
let main;
let nav;
let everybody;
let name;

async function start() {
  shown.abort();
  const key = takeKey();
  if (key !== undefined) {
    fill(document.body, h("main", { class: "alone" }, loading(t("Opening…"))));
    try {
      await exchange(key);
    } catch (error) {
      if (error.refused) used();
      else unreachable(() => (history.replaceState(null, "", `#key=${key}`), start()));
      return;
    }
  }
  await worn;
  goOn();
  // A page of the portal was opened in a new tab.
  if (!session() && DEEP.test(location.hash)) await borrow();
  if (session()) lay();
  else entrance(start);
}

/** Go to the page that the link names, once. */
function goOn() {
  const wanted = said.get("next");
  said.delete("next");
  const address = new URL(location.href);
  if (!address.searchParams.has("next")) return;
  address.searchParams.delete("next");
  if (session() && wanted && NEXT.test(wanted)) {
    address.hash = OTHER_NAMES.reduce((path, [pattern, ours]) => path.replace(pattern, ours), wanted);
  }
  stay(address.href);
}

/** The platform's logo; if it cannot be loaded, our own is shown. */
function sign() {
  const own = icon("hook", 24);
  if (!logo) return own;
  const picture = h("img", { src: logo, alt: "", referrerpolicy: "no-referrer" });
  picture.addEventListener("error", () => picture.replaceWith(own));
  return picture;
}

function lay() {
  const { operator } = session();
  main = h("main", { id: "main", tabindex: "-1" });
  everybody = h("a", { class: "button plain tiny", href: APPLICATIONS }, t("All applications"));
  nav = h("nav", { class: "nav", "aria-label": t("Main") });
  name = h("span", { class: "brand-name" }, platform ?? t("Webhooks"));
  const bar = h(
    "header",
    { class: "bar" },
    h(
      "div",
      { class: "bar-inner" },
      h("div", { class: "brand" }, sign(), name),
      nav,
      h(
        "div",
        { class: "bar-end" },
        homeUrl && h("a", { class: "button plain tiny", href: homeUrl, target: framed ? "_top" : undefined }, platform ? t("Back to {platform}", { platform }) : t("Back to the application")),
        docsUrl && h("a", { class: "button plain tiny", href: docsUrl, target: "_blank", rel: "noopener noreferrer" }, t("Documentation")),
        operator && everybody,
        operator && button(t("Sign out"), signOut, { kind: "plain", size: "tiny" }),
      ),
    ),
    away,
  );
  const skip = h("a", { class: "skip", href: "#main", on: { click: (event) => (event.preventDefault(), main.focus()) } }, t("Skip to content"));
  fill(document.body, skip, bar, main, h("footer", { class: "foot" }, languageChoice()));
  if (!operator) callByName();
  show();
}

/** Show the name of the current application in the bar. */
function callByName() {
  const { application, operator } = session();
  fill(name, platform ?? t("Webhooks"));
  name.removeAttribute("title");
  // A customer recognizes the page by the platform's name; an operator has to see which application it is.
  if (!application || (platform && !operator)) return;
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

/** Show the page of the address; `moved` says whether the user came from another page. */
async function show(moved) {
  if (location.hash.startsWith("#key=")) return void start();
  if (!session() || !main?.isConnected) return;
  shown.abort();
  shown = new AbortController();
  const { application, path } = placed(location.hash);
  if (session().operator) {
    if (!application && !OPERATOR_ROUTES.some(([each]) => each.test(path))) return void location.replace(APPLICATIONS);
    if (session().application !== application || !name.title) {
      keep({ ...session(), application });
      callByName();
    }
  } else if (application) {
    // An operator's link was opened by a consumer: show the same page of the consumer's own application.
    return void location.replace(`#${path}`);
  }
  const { operator } = session();
  const listing = operator && !application;
  const routes = listing ? OPERATOR_ROUTES : operator ? [MANAGE, ...ROUTES] : ROUTES;
  const [pattern, load, section] = routes.find(([each]) => each.test(path));
  const parameters = pattern.exec(path).slice(1).map((part) => part && decoded(part));
  const sections = listing ? OPERATOR_SECTIONS : operator ? [...SECTIONS, [t("Manage"), "/manage"]] : SECTIONS;
  // The links are kept while they are the same, with the focus of one of them.
  if (nav.shows !== sections[0][1]) fill(nav, sections.map(([words]) => h("a", {}, words)));
  nav.shows = sections[0][1];
  everybody.hidden = listing;
  sections.forEach(([words, address], place) => {
    const link = nav.children[place];
    link.href = listing ? `#${address}` : to(address);
    if (section === (listing ? address : words)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
  const { signal } = shown;
  let page;
  try {
    if (load !== FIRST) await alsoSay("pages");
    page = await load();
  } catch {
    // The page's script could not be loaded, since the server is down: reload when it is up again.
    return void eventually(() => get("health/ping"), signal).then(() => location.reload(), () => {});
  }
  if (signal.aborted) return;
  const inner = h("div", {});
  fill(main, inner);
  page(inner, signal, ...parameters);
  listen();
  scrollTo(0, 0);
  if (moved) turned();
  const heading = main.querySelector("h1");
  document.title = titled(heading?.textContent);
  if (moved && document.activeElement === document.body) main.focus({ preventScroll: true });
}

guard(() => show(true));

onEnd(() => {
  const { application, operator } = session();
  keep(undefined);
  if (operator) {
    shown.abort();
    entrance(start, t("This token is not accepted, or not any more."));
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
  toast(t("You are signed in again"));
  dispatchEvent(new Event("session-resumed"));
});

onReach(async (reached) => {
  if (reached) return void fill(away);
  fill(away, icon("warning", 16), t("The server cannot be reached. This page tries again by itself."));
  while (away.firstChild && session()) {
    await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
    await get("health/ping").catch(() => {});
  }
});

start();
