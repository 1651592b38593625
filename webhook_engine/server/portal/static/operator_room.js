// The texts and styles of the operator pages, loaded when one of these pages is first shown, so that consumers do not
// load them.

import { h } from "./dom.js";
import { alsoSay } from "./language.js";
import { root } from "./session.js";

await alsoSay("operator");
document.head.append(h("link", { rel: "stylesheet", href: new URL("portal/static/operator.css", root).href }));
