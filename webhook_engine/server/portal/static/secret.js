// The signing secret of an endpoint: hidden until somebody asks for it.

import { api, app, get } from "./api.js";
import { fill, h } from "./dom.js";
import { t } from "./language.js";
import { may } from "./session.js";
import { button, card, confirm, copyButton, toast } from "./ui.js";

const HIDDEN = "whsec_••••••••••";

export function readSecret(endpoint, signal) {
  return get(app("endpoint", endpoint, "secret"), {}, signal).then(({ key }) => key);
}

export function secretCard(endpoint, signal) {
  const box = h("div", { class: "secret" });

  function hide() {
    const reveal = button(t("Reveal"), () => show(), { size: "tiny", glyph: "eye", name: t("Reveal signing secret") });
    fill(box, h("code", {}, HIDDEN), may("ViewEndpointSecret") && reveal);
  }

  async function show() {
    const key = await readSecret(endpoint, signal);
    fill(box, h("code", {}, key), copyButton(t("Copy signing secret"), key), button(t("Hide"), hide, { size: "tiny", kind: "plain" }));
  }

  async function rotate() {
    const text = t("A new secret is made. The present one stays valid for 24 hours, so that you can exchange it in your code.");
    if (!(await confirm(t("Rotate the signing secret?"), text, t("Rotate")))) return;
    await api("POST", app("endpoint", endpoint, "secret", "rotate"), { body: {} });
    toast(t("A new signing secret is in use"));
    await show();
  }

  hide();
  return card(
    t("Signing secret"),
    h("div", { class: "stack-small" }, box, h("p", { class: "faint" }, t("Verify with it that requests come from us; the tab Verify shows how.")), may("ManageEndpointSecret") && h("div", { class: "row" }, button(t("Rotate"), rotate, { size: "tiny", glyph: "again", name: t("Rotate signing secret") }))),
  );
}
