// The signing secret of an endpoint, hidden until the user shows it.

import { api, app, eventually, get } from "./api.js";
import { fill, h } from "./dom.js";
import { pieces, t } from "./language.js";
import { may } from "./session.js";
import { fullTime } from "./format.js";
import { button, card, confirm, copyButton, toast, when } from "./ui.js";

const HIDDEN = "whsec_••••••••••";

export function readSecret(endpoint, signal) {
  return get(app("endpoint", endpoint, "secret"), {}, signal).then(({ key }) => key);
}

export function secretCard(endpoint, signal) {
  const box = h("div", { class: "secret" });
  const before = h("ul", { class: "list replaced" });
  let shown = false;

  function hide() {
    const reveal = button(t("Reveal"), () => show(), { size: "tiny", glyph: "eye", name: t("Reveal signing secret") });
    shown = false;
    fill(box, h("code", {}, HIDDEN), may("ViewEndpointSecret") && reveal);
    if (may("ViewEndpointSecret")) eventually(read, signal).catch(() => {});
  }

  /** Fetch all secrets that sign now; older ones are shown until they expire. */
  async function read() {
    const keys = await get(app("endpoint", endpoint, "secret", "all"), {}, signal);
    before.hidden = !keys.replaced.length;
    fill(
      before,
      keys.replaced.map(({ key, expiresAt }) =>
        h(
          "li",
          { class: "stack-small" },
          h("p", { class: "small" }, pieces("The one before still signs too, and ends {when} ({time}).", { when: when(expiresAt, ""), time: fullTime(expiresAt) })),
          h("div", { class: "secret" }, h("code", {}, shown ? key : HIDDEN), shown && copyButton(t("Copy the secret of before"), key)),
        ),
      ),
    );
    return keys;
  }

  async function show() {
    shown = true;
    const { key } = await read();
    fill(box, h("code", {}, key), copyButton(t("Copy signing secret"), key), button(t("Hide"), hide, { size: "tiny", kind: "plain" }));
  }

  async function rotate() {
    const text = t("A new secret is made. The present one stays valid for 24 hours, so that you can exchange it in your code.");
    if (!(await confirm(t("Rotate the signing secret?"), text, t("Rotate")))) return;
    await api("POST", app("endpoint", endpoint, "secret", "rotate"), { body: {} });
    toast(t("A new signing secret is in use"));
    await show();
  }

  before.hidden = true;
  hide();
  return card(
    t("Signing secret"),
    h("div", { class: "stack-small" }, box, before, h("p", { class: "faint" }, t("Verify with it that requests come from us; the tab Verify shows how.")), may("ManageEndpointSecret") && h("div", { class: "row" }, button(t("Rotate"), rotate, { size: "tiny", glyph: "again", name: t("Rotate signing secret") }))),
  );
}
