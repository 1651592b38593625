// The page of one inbox: what it received, live; how it answers; and whether the signatures verify.

import { fill, h, icon, reconcile } from "../../portal/static/dom.js";
import { fullTime } from "../../portal/static/format.js";
import { t } from "../../portal/static/language.js";
import {
  button,
  card,
  codeBox,
  copyButton,
  empty,
  field,
  headersTable,
  input,
  loading,
  notice,
  repeatedly,
  select,
  toast,
  when,
} from "../../portal/static/ui.js";
import { call, root } from "./client.js";

const MAX_SHOWN = 500;
const LOOK_MS = 1_000;
const STATUSES = [
  [200, "200 OK"],
  [204, "204 No Content"],
  [301, "301 Moved Permanently"],
  [400, "400 Bad Request"],
  [401, "401 Unauthorized"],
  [404, "404 Not Found"],
  [410, "410 Gone"],
  [429, "429 Too Many Requests"],
  [500, "500 Internal Server Error"],
  [503, "503 Service Unavailable"],
];
const DELAYS = [
  [0, t("None")],
  [1_000, "1 second"],
  [5_000, "5 seconds"],
  [20_000, "20 seconds"],
  [30_000, "30 seconds"],
];

const token = location.pathname.replace(/\/+$/, "").split("/").at(-1);
const path = `inbox/${encodeURIComponent(token)}`;
const stop = new AbortController();
// Until somebody picks a request, the newest one is shown.
const state = { requests: [], inbox: undefined, picked: undefined, chosen: false, secret: "", problems: {}, shown: "" };

const list = h("ul", { class: "list" });
const none = empty("inbox", t("Nothing has arrived yet"), t("Send a request to the URL above; it shows up here by itself."));
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
      const { inbox, requests } = await call("GET", `${path}?after=${encodeURIComponent(after)}`);
      fill(away);
      const first = !state.inbox;
      state.inbox = inbox;
      state.requests = [...state.requests, ...requests].slice(-MAX_SHOWN);
      if (first) lay();
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
      h("div", {}, h("h1", {}, t("Temporary inbox")), h("p", {}, t("Anything sent to this URL is shown below, until {time}.", { time: fullTime(inbox.expiresAt) }))),
      count,
    ),
    h(
      "div",
      { class: "stack" },
      card(t("Inbox URL"), h("div", { class: "secret" }, h("code", {}, inbox.url), copyButton(t("Copy inbox URL"), inbox.url))),
      h(
        "div",
        { class: "split" },
        h(
          "div",
          { class: "stack" },
          h("section", { class: "card" }, h("div", { class: "card-head over" }, h("h2", {}, t("Requests")), h("div", { class: "row-end" }, clearing)), h("div", {}, none, list)),
          signatureCard(),
          answerCard(),
        ),
        detail,
      ),
    ),
  );
}

/** What somebody sees who has not sent anything yet. */
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

function answerCard() {
  const known = (choices, value, text) => (choices.some(([each]) => each === value) ? choices : [...choices, [value, text]]);
  const { status: now, delayMs: wait } = state.inbox;
  const status = select(known(STATUSES, now, String(now)), { value: now });
  const delay = select(known(DELAYS, wait, `${wait} ms`), { value: wait });
  // Somebody else may have chosen the other one meanwhile: only what is chosen here is changed.
  const save = async (chosen) => {
    try {
      const { inbox } = await call("GET", `${path}?after=${encodeURIComponent(state.requests.at(-1)?.id ?? "")}`);
      state.inbox = await call("PUT", path, { status: inbox.status, delayMs: inbox.delayMs, ...chosen });
      toast(t("Play now answers {status}", { status: String(state.inbox.status) }));
    } catch (error) {
      toast(error.message, "bad");
    }
  };
  status.addEventListener("change", () => save({ status: Number(status.value) }));
  delay.addEventListener("change", () => save({ delayMs: Number(delay.value) }));
  return card(t("Answer"), h("div", { class: "stack-small" }, field(t("Status"), status), field(t("Delay"), delay)), {
    note: t("Choose what senders get, to see how failures are handled."),
  });
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
  const newest = [...state.requests].reverse();
  none.hidden = newest.length > 0;
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
  fill(detail, request ? details(request) : firstSteps());
}

/** What follows the inbox's own address. */
function below(path) {
  return path.split(token)[1]?.replace(/^\/?/, "/") ?? path;
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
      h("dl", { class: "facts below" }, h("div", {}, h("dt", {}, t("Path")), h("dd", {}, h("code", {}, request.path))))],
    ),
    request.body
      ? codeBox(request.encoding === "base64" ? t("Body (base64)") : t("Body"), request.body, { json: request.encoding !== "base64", exact: true })
      : h("p", { class: "soft small" }, t("The request had no body.")),
    card(t("Headers"), headersTable(t("Request headers"), request.headers)),
  ];
}
