// Finds where a text stops being valid JSON; browsers report it differently, or not at all.

const TOKEN = /\s*(?:("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)|([{}[\],:]))/y;

/** The line number, from 1, or undefined if the text is valid JSON. */
export function lineOfMistake(text) {
  const open = [];
  let wanted = "value";
  TOKEN.lastIndex = 0;
  for (;;) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (!found) {
      const rest = text.slice(at);
      return wanted === "end" && !rest.trim() ? undefined : lineAt(text, text.length - rest.trimStart().length);
    }
    const next = step(wanted, found[1] !== undefined ? "string" : found[2] !== undefined ? "plain" : found[3], open);
    if (!next) return lineAt(text, TOKEN.lastIndex - 1);
    wanted = next;
  }
}

function step(wanted, token, open) {
  const closed = () => (open.length ? (open.at(-1) === "{" ? "more" : "item") : "end");
  const may = (...states) => states.includes(wanted);
  if (token === "string" && may("key", "first key")) return "colon";
  if ((token === "string" || token === "plain") && may("value", "first")) return closed();
  if (token === ":" && may("colon")) return "value";
  if (token === "," && may("more")) return "key";
  if (token === "," && may("item")) return "value";
  if ((token === "{" || token === "[") && may("value", "first")) {
    open.push(token);
    return token === "{" ? "first key" : "first";
  }
  if ((token === "}" && may("first key", "more")) || (token === "]" && may("first", "item"))) {
    open.pop();
    return closed();
  }
  return undefined;
}

const lineAt = (text, place) => text.slice(0, place).split("\n").length;
