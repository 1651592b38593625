// The titles of the pages, with the name of the platform.

import { name } from "./appearance.js";
import { shownText } from "./dom.js";
import { t } from "./language.js";

/** The title of a page, or of the portal. */
export function titled(title) {
  if (!title) return name ?? t("Webhooks");
  return shownText(name ? `${title} · ${name}` : t("{title} · Webhooks", { title }));
}
