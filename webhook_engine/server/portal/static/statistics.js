// The delivery statistics of the whole application.

import { fill, h } from "./dom.js";
import { statistics } from "./chart.js";
import { t } from "./language.js";

/** "#/statistics" */
export function statisticsPage(page, signal) {
  fill(
    page,
    h("div", { class: "head" }, h("div", {}, h("h1", {}, t("Statistics")), h("p", {}, t("Attempts at all your endpoints together; each endpoint shows its own.")))),
    statistics(undefined, signal),
  );
}
