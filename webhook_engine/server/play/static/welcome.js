// Creates a new inbox.

import { h, icon } from "../../portal/static/dom.js";
import { t } from "../../portal/static/language.js";
import { button } from "../../portal/static/ui.js";
import { call, root } from "./client.js";

async function create() {
  const inbox = await call("POST", "");
  location.assign(new URL(`play/view/${encodeURIComponent(inbox.token)}`, root));
}

document.body.append(
  h(
    "main",
    { class: "alone" },
    h(
      "div",
      { class: "card" },
      h("div", { class: "mark" }, icon("inbox", 24)),
      h("h1", {}, t("Try out webhooks without a server")),
      h("p", { class: "soft" }, t("Play gives you a temporary URL. Whatever is sent to it shows up on its page at once: headers, body, and whether the signature verifies.")),
      h("div", { class: "row" }, button(t("Create an inbox"), create, { kind: "main", glyph: "plus" })),
    ),
  ),
);
