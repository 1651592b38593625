// How requests to an endpoint are authenticated, besides their signature.

import { h } from "./dom.js";
import { t } from "./language.js";
import { field, input, select } from "./ui.js";

const KINDS = [
  ["", t("None but the signature")],
  ["basic", t("User and password (Basic)")],
  ["bearer", t("Token (Bearer)")],
  ["oauth2", t("Access token of a token server (OAuth 2.0)")],
];
// In the API's order.
const PARTS = ["username", "password", "token", "tokenUrl", "clientId", "clientSecret", "scope", "clientAuthentication"];
const OF_KIND = {
  "": [],
  basic: ["username", "password"],
  bearer: ["token"],
  oauth2: ["tokenUrl", "clientId", "clientSecret", "scope", "clientAuthentication"],
};
const MAY_BE_EMPTY = ["scope", "clientAuthentication"];
const SECRET = ["password", "token", "clientSecret"];

/**
 * The fields; `value()` is null without authentication. Secrets are shown as a mask, which stands for the stored
 * secret.
 */
export function authenticationFields() {
  const kind = select(KINDS);
  const controls = Object.fromEntries(PARTS.map((name) => [name, control(name)]));
  const labels = {
    username: t("User name"),
    password: t("Password"),
    token: t("Token"),
    tokenUrl: t("URL of the token server"),
    clientId: t("Client id"),
    clientSecret: t("Client secret"),
    scope: t("Scope"),
    clientAuthentication: t("How the client proves itself"),
  };
  const fields = Object.fromEntries(PARTS.map((name) => [name, field(labels[name], controls[name], { optional: name === "scope" })]));
  const first = field(t("Authentication"), kind, { hint: t("For receivers that ask for more than the signature. Secrets are never shown again.") });
  const element = h("div", { class: "stack-small" }, first, Object.values(fields));

  function control(name) {
    if (name === "clientAuthentication") return select([["", t("As usual")], ["basic", t("In a header")], ["body", t("In the form")]]);
    return input({ class: "input code", type: SECRET.includes(name) ? "password" : "text", autocomplete: SECRET.includes(name) ? "new-password" : "off" });
  }

  function show() {
    for (const name of PARTS) fields[name].hidden = !OF_KIND[kind.value].includes(name);
  }

  kind.addEventListener("change", show);
  element.value = () => {
    if (!kind.value) return null;
    const said = PARTS.filter((name) => OF_KIND[kind.value].includes(name) && controls[name].value !== "");
    return { type: kind.value, ...Object.fromEntries(said.map((name) => [name, controls[name].value])) };
  };
  element.put = (authentication) => {
    kind.value = authentication?.type ?? "";
    for (const name of PARTS) controls[name].value = authentication?.[name] ?? "";
    show();
  };
  element.check = () => {
    element.complain();
    for (const name of OF_KIND[kind.value]) {
      if (!controls[name].value && !MAY_BE_EMPTY.includes(name)) fields[name].complain(t("This is needed."));
    }
  };
  element.complain = (text, place = "") => {
    (fields[place.split(".")[1]] ?? first).complain(text);
    if (!text) for (const name of PARTS) fields[name].complain();
  };
  element.look = () => {};
  show();
  return element;
}
