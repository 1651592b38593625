// The page of an inbox: its requests, live; its response; and whether signatures verify. A shared page shows only the
// requests.

import { curlOf } from "../../portal/static/curl.js";
import { fill, h, icon, reconcile } from "../../portal/static/dom.js";
import { fullTime } from "../../portal/static/format.js";
import { t } from "../../portal/static/language.js";
import {
  button,
  card,
  codeBox,
  copy,
  copyButton,
  empty,
  field,
  headersTable,
  input,
  loading,
  notice,
  repeatedly,
  toast,
  when,
} from "../../portal/static/ui.js";
import { answerCard } from "./answer.js";
import { call, root } from "./client.js";

const MAX_SHOWN = 500;
const LOOK_MS = 1_000;
const token = location.pathname.replace(/\/+$/, "").split("/").at(-1);
const shared = location.pathname.includes("/play/shared/");
const path = `inbox/${encodeURIComponent(token)}`;
const source = shared ? `shared/${encodeURIComponent(token)}/requests` : path;
const OURS = /^(host|content-length|connection|accept-encoding|transfer-encoding|x-forwarded-.*|x-real-ip)$/i;
const stop = new AbortController();
// Until a request is picked, the newest one is shown.
const state = { requests: [], inbox: undefined, picked: undefined, chosen: false, secret: "", problems: {}, shown: "", wanted: "" };

const list = h("ul", { class: "list" });
const unfit = empty("inbox", t("No request fits"), t("Nothing in the methods, paths, headers and bodies fits your search."));
const find = input({ type: "search", placeholder: t("Search…"), "aria-label": t("Search requests") });
find.addEventListener("input", () => ((state.wanted = find.value.trim().toLowerCase()), show()));
const finder = h("div", { class: "filters" }, find);
let answer;
const none = empty("inbox", t("Nothing has arrived yet"), shared ? t("What arrives shows up here by itself.") : t("Send a request to the URL above; it shows up here by itself."));
const detail = h("div", { class: "stack play-detail", "aria-live": "off" });
const clearing = button(t("Clear"), clear, { kind: "plain", size: "tiny" });
const away = h("div", { class: "away", role: "status" });
const count = h("p", { class: "soft small", role: "status" });
const main = h("main", { id: "main", tabindex: "-1" });
document.body.append(
  h("a", { class: "skip", href: "#main" }, t("Skip to content")),
  h(
    "header",
    { class: "bar" },
    h(
      "div",
      { class: "bar-inner" },
      h("div", { class: "brand" }, icon("inbox", 22), t("Play")),
      h("div", { class: "bar-end" }, h("a", { class: "button plain tiny", href: new URL("play/", root).href }, t("New inbox"))),
    ),
    away,
  ),
  main,
);
fill(main, h("h1", { class: "unseen" }, t("Temporary inbox")), loading());

const refresh = repeatedly(
  async () => {
    try {
      const after = state.requests.at(-1)?.id ?? "";
      const { inbox, requests } = await call("GET", `${source}?after=${encodeURIComponent(after)}`);
      fill(away);
      const first = !state.inbox;
      state.inbox = inbox;
      state.requests = [...state.requests, ...requests].slice(-MAX_SHOWN);
      if (first) lay();
      else answer?.meanwhile(inbox);
      if (requests.length && state.secret) await verify();
      if (first || requests.length) show();
    } catch (error) {
      if (error.status === 404) gone();
      else if (!away.firstChild) fill(away, icon("warning", 16), t("The server cannot be reached. This page tries again by itself."));
    }
  },
  LOOK_MS,
  stop.signal,
);

function gone() {
  stop.abort();
  fill(
    document.body,
    h(
      "main",
      { class: "alone" },
      h(
        "div",
        { class: "card" },
        h("div", { class: "mark" }, icon("inbox", 24)),
        h("h1", {}, t("This inbox has expired")),
        h("p", { class: "soft" }, t("Inboxes of Play are temporary, and so is what they received. You can make a new one at any time.")),
        h("p", {}, h("a", { class: "button main", href: new URL("play/", root).href }, t("Create a new inbox"))),
      ),
    ),
  );
}

function lay() {
  const { inbox } = state;
  fill(
    main,
    h(
      "div",
      { class: "head" },
      h("div", {}, h("h1", {}, t("Temporary inbox")), h("p", {}, shared ? t("Somebody shares with you what arrives here, until {time}.", { time: fullTime(inbox.expiresAt) }) : t("Anything sent to this URL is shown below, until {time}.", { time: fullTime(inbox.expiresAt) }))),
      count,
    ),
    h(
      "div",
      { class: "stack" },
      !shared && card(t("Inbox URL"), h("div", { class: "secret" }, h("code", {}, inbox.url), copyButton(t("Copy inbox URL"), inbox.url))),
      h(
        "div",
        { class: "split" },
        h(
          "div",
          { class: "stack" },
          h("section", { class: "card" }, h("div", { class: "card-head over" }, h("h2", {}, t("Requests")), h("div", { class: "row-end" }, !shared && clearing)), finder, h("div", {}, none, unfit, list)),
          !shared && (answer = answerCard(path, inbox, { now: current, saved: (now) => (state.inbox = now) })),
          !shared && signatureCard(),
          !shared && shareCard(),
        ),
        detail,
      ),
    ),
  );
}

/** Fetch the current inbox. */
async function current() {
  const { inbox } = await call("GET", `${path}?after=${encodeURIComponent(state.requests.at(-1)?.id ?? "")}`);
  return inbox;
}

/** Instructions shown before the first request. */
function firstSteps() {
  const { url } = state.inbox;
  const sample = `curl ${url} \\
  -H "content-type: application/json" \\
  -d '{"hello": "world"}'`;
  return [
    card(t("How to begin"), [
      h(
        "ol",
        { class: "steps" },
        [
          [t("Use the URL as an endpoint"), t("Paste it where webhooks are set up, and send an example from there; or send a request by hand, as below.")],
          [t("See what arrives"), t("The request shows up here within a second, with its headers and its exact body.")],
          [t("Try out failures"), t("Choose another status or a delay, and see how the sender tries again.")],
        ].map(([title, words]) => h("li", {}, h("div", {}, h("h3", {}, title), h("p", { class: "soft" }, words)))),
      ),
    ]),
    codeBox("curl", sample, { lines: true }),
  ];
}

/** A card with the link that shares the requests, and nothing more. */
function shareCard() {
  const box = h("div", { class: "stack-small" });
  const change = async (method) => {
    state.inbox = await call(method, `${path}/share`);
    show();
    box.querySelector("button")?.focus();
  };
  function show() {
    const { shareUrl } = state.inbox;
    fill(
      box,
      shareUrl && h("div", { class: "secret" }, h("code", {}, shareUrl), copyButton(t("Copy link to share"), shareUrl)),
      h("div", { class: "row" }, shareUrl ? button(t("Stop sharing"), () => change("DELETE"), { size: "tiny", kind: "danger" }) : button(t("Share a view"), () => change("POST"), { size: "tiny", glyph: "link" })),
    );
  }
  show();
  return card(t("Share"), box, { note: t("Whoever has the link sees what arrives here, and can change nothing and send nothing.") });
}

function signatureCard() {
  const secret = input({ class: "input code", placeholder: "whsec_…", type: "password" });
  const wrapped = field(t("Signing secret"), secret, {
    hint: t("From the page of the endpoint. It is used to check what arrived, and kept nowhere."),
  });
  const check = async () => {
    state.secret = secret.value.trim();
    state.problems = {};
    wrapped.complain();
    if (state.secret) {
      try {
        await verify();
        told();
      } catch (error) {
        state.secret = "";
        wrapped.complain(error.message);
      }
    }
    show();
  };
  const form = h(
    "form",
    { class: "stack-small", on: { submit: (event) => (event.preventDefault(), check()) } },
    wrapped,
    h("div", { class: "row" }, button(t("Verify signatures"), undefined, { submit: true })),
  );
  return card(t("Signature"), form);
}

function told() {
  const problems = state.requests.map(problemOf);
  if (!problems.length) return toast(t("What arrives will be checked with this secret"));
  detail.scrollIntoView({ block: "nearest", behavior: "smooth" });
  const good = problems.filter((problem) => problem === "").length;
  return toast(t("{good} of {n} signatures verify", { good, n: problems.length }), good ? "" : "bad");
}

async function verify() {
  ({ problems: state.problems } = await call("POST", `${path}/verify`, { secret: state.secret }));
}

async function clear() {
  await call("DELETE", path);
  state.requests = [];
  state.picked = undefined;
  show();
  refresh();
}

function show() {
  const all = [...state.requests].reverse();
  const newest = all.filter(fits);
  none.hidden = all.length > 0;
  unfit.hidden = newest.length > 0 || !none.hidden;
  finder.hidden = all.length < 2;
  clearing.hidden = !none.hidden;
  count.textContent = t("{n} requests", { n: newest.length });
  if (!newest.some(({ id }) => id === state.picked)) state.chosen = false;
  if (!state.chosen) state.picked = newest[0]?.id;
  reconcile(
    list,
    newest,
    ({ id }) => id,
    (request) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", class: "pick", "aria-pressed": String(request.id === state.picked), on: { click: () => pick(request.id) } },
          h("span", { class: "tag" }, request.method),
          h("span", { class: "pick-path" }, below(request.path)),
          when(request.receivedAt),
          mark(request),
        ),
      ),
    (request) => `${request.id === state.picked}${problemOf(request)}`,
  );
  const request = newest.find(({ id }) => id === state.picked);
  const shown = request ? `${request.id}${problemOf(request)}` : "nothing";
  if (shown === state.shown) return;
  state.shown = shown;
  fill(detail, request ? details(request) : shared || all.length ? [] : firstSteps());
}

/** Whether any part of a request contains the search text. */
function fits({ method, path, headers, body }) {
  if (!state.wanted) return true;
  return [method, path, body, ...headers.flat()].some((text) => text.toLowerCase().includes(state.wanted));
}

/** The path below the inbox's address, whose token is unknown to those with whom the inbox is shared. */
function below(path) {
  return /\/play\/in\/[^/?]*(.*)$/.exec(path)?.[1].replace(/^\/?/, "/") ?? path;
}

/** The request as a curl command, to the same inbox or, where its address is hidden, to a placeholder. */
function curl(request) {
  const url = shared ? `https://example.com${below(request.path)}` : state.inbox.url.replace(/\/$/, "") + below(request.path);
  const requestHeaders = request.headers.filter(([name]) => !OURS.test(name)).map(([name, value]) => ({ name, value }));
  return curlOf({ url, requestHeaders, method: request.method }, { payload: request.body || null, encoding: request.encoding }, "body.bin");
}

function pick(id) {
  state.picked = id;
  state.chosen = true;
  show();
  if (matchMedia("(max-width: 900px)").matches) detail.scrollIntoView({ behavior: "smooth" });
}

function problemOf(request) {
  if (!state.secret || !(request.id in state.problems)) return undefined;
  return state.problems[request.id] ?? "";
}

function mark(request) {
  const problem = problemOf(request);
  if (problem === "") return h("span", { class: "state good" }, icon("check", 14), t("Verified"));
  if (problem !== undefined) return h("span", { class: "state bad" }, icon("cross", 14), t("Not verified"));
  const signed = request.headers.some(([name]) => /^(webhook|svix)-signature$/i.test(name));
  return h("span", { class: "state" }, icon(signed ? "info" : "dash", 14), signed ? t("Signed") : t("Not signed"));
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

function sizeOf({ body, encoding }) {
  return encoding === "base64" ? atob(body).length : new TextEncoder().encode(body).length;
}

function details(request) {
  const problem = problemOf(request);
  return [
    problem === ""
      ? notice("good", "check", t("The signature verifies"), h("p", {}, t("This request was sent by the holder of the secret, and not changed on its way.")))
      : problem && notice("bad", "cross", t("The signature does not verify"), h("p", {}, sentence(problem))),
    card(
      t("Request"),
      [h(
        "dl",
        { class: "facts wide" },
        [
          [t("Method"), request.method],
          [t("Received"), fullTime(request.receivedAt)],
          [t("Size"), t("{n} bytes", { n: sizeOf(request) })],
        ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
      ),
      h("dl", { class: "facts below" }, h("div", {}, h("dt", {}, t("Path")), h("dd", {}, h("code", {}, request.path)))),
      h("div", { class: "row below" }, button(t("Copy as curl"), () => copy(curl(request)), { size: "tiny", glyph: "copy" }))],
    ),
    request.body
      ? codeBox(request.encoding === "base64" ? t("Body (base64)") : t("Body"), request.body, { json: request.encoding !== "base64", exact: true })
      : h("p", { class: "soft small" }, t("The request had no body.")),
    card(t("Headers"), headersTable(t("Request headers"), request.headers)),
  ];
}
