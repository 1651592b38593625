// The pages before and after a session, with plain instructions.

import { fill, h, icon } from "./dom.js";
import { t } from "./language.js";
import { begin } from "./session.js";
import { titled } from "./titles.js";
import { button, field, input, modal } from "./ui.js";

function alone(glyph, title, ...content) {
  document.title = titled(title);
  const heading = h("h1", { tabindex: "-1" }, title);
  fill(
    document.body,
    h("main", { class: "alone" }, h("div", { class: "card" }, h("div", { class: "mark" }, icon(glyph, 24)), heading, content)),
  );
  heading.focus();
}

const soft = (text) => h("p", { class: "soft" }, text);

/** The link was already used, or has expired. */
export function used() {
  alone(
    "link",
    t("This link has expired or was already used"),
    soft(t("For your safety, each link to this page works once and only for a short time.")),
    soft(t("Go back to where you found the link and open it again from there; you get a fresh one each time.")),
  );
}

/** The session ended while the page was open. */
export function ended() {
  alone(
    "clock",
    t("Your session has ended"),
    soft(t("You were signed out because your access has expired or was withdrawn. Nothing that you saved is lost.")),
    soft(t("To go on, open the link to this page again from where you found it.")),
  );
}

/** The session ended with unsaved input; the page stays as it is. Returns a function that removes the notice. */
export function endedWhileTyping() {
  const { close } = modal(
    t("Your session has ended"),
    t("What you typed is not lost. Open the link to this page again in another tab, from where you found it: this tab then goes on by itself, and you can save."),
    [[t("Close"), "", ""]],
  );
  return close;
}

export function unreachable(retry) {
  alone("warning", t("The server cannot be reached"), soft(t("Check your connection and try again.")), h("div", { class: "row" }, button(t("Try again"), retry, { kind: "main" })));
}

/** The page was opened without a link: by a consumer who needs one, or by an operator with a token. */
export function entrance(enter, complaint) {
  const token = input({ class: "input code", type: "password", autocomplete: "off", required: true });
  const wrapped = field(t("API token"), token, { hint: t("The token of an organization shows all its applications.") });
  const form = h(
    "form",
    { class: "stack-small", on: { submit } },
    wrapped,
    h("div", { class: "row" }, button(t("Sign in"), undefined, { submit: true, kind: "main" })),
  );
  function submit(event) {
    event.preventDefault();
    try {
      begin(token.value.trim());
    } catch (error) {
      wrapped.complain(error.message);
      return;
    }
    enter();
  }
  alone(
    "hook",
    t("Open this page from your platform"),
    soft(t("You get here by a link from the service whose webhooks you receive. Look for it in its settings.")),
    h("details", { class: "fold", open: Boolean(complaint) }, h("summary", {}, icon("right", 14), t("I operate this service")), form),
  );
  wrapped.complain(complaint);
}
