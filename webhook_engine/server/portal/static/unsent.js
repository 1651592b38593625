// The endpoints that a message was not sent to, and why.

import { to } from "./address.js";
import { app, eventually, get } from "./api.js";
import { h } from "./dom.js";
import { t } from "./language.js";
import { breakable, card } from "./ui.js";

const WHY = {
  disabled: () => t("It is disabled."),
  eventType: () => t("It does not want this event type."),
  channels: () => t("It wants other channels."),
  filter: () => t("Its filter does not let the payload through."),
  later: () => t("It was added later."),
  edited: () => t("It was changed since, and would get it now."),
};

/** A card for the page of a message; it appears once it has content. */
export function unsentCard(message, signal) {
  const list = h("ul", { class: "stack" });
  const element = card(t("Not sent to"), list);
  element.hidden = true;
  eventually(() => get(app("msg", message.id, "unsent"), {}, signal), signal).then(
    ({ data }) => {
      element.hidden = data.length === 0;
      list.append(...data.map(line));
    },
    () => undefined, // the page works without it
  );
  return element;
}

function line({ id, url, obstacle, condition, editedSince }) {
  return h(
    "li",
    {},
    h("a", { class: "code", href: to(`/endpoints/${id}`) }, breakable(url)),
    h("p", { class: "soft small" }, WHY[obstacle]?.() ?? obstacle, editedSince && obstacle !== "edited" && [" ", t("It was changed since the message came.")]),
    condition && h("pre", { class: "code small" }, JSON.stringify(condition, undefined, 2)),
  );
}
