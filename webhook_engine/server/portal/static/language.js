// The language of the page. A text stands in the code in English; the catalogue of the language that is shown,
// texts-{language}.js, has what to say instead. Whoever imports this module has the catalogue already; the portal gets what
// its first page does not say, texts-pages-{language}.js, when another page is shown.

import { link } from "./arrival.js";

/** The languages that there are, each by its own name. */
export const LANGUAGES = { en: "English", de: "Deutsch", es: "Español", fr: "Français", ja: "日本語", pt: "Português" };
const LEFTWARD = ["ar", "fa", "he", "ur"];
const CHOICE = "webhook-engine.language";

/** The language that is shown: of the link, of an earlier choice, or of the browser. */
export const language = wanted();

/** How dates and numbers are written: somebody's own kind of the language is kept. */
export const locale = navigator.languages?.find((each) => base(each) === language) ?? { en: "en-GB" }[language] ?? language;

document.documentElement.lang = language;
document.documentElement.dir = LEFTWARD.includes(language) ? "rtl" : "ltr";

const texts = (await import(`./texts-${language}.js`)).default;
const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);
const PLACE = /\{(\w+)\}/g;

/** Know the texts of some further pages, too; they are in a catalogue of their own, texts-{pages}-{language}.js. */
export async function alsoSay(pages) {
  Object.assign(texts, (await import(`./texts-${pages}-${language}.js`)).default);
}

if (!document.querySelector("meta[name=first-page]")) await alsoSay("pages");

function base(tag) {
  return tag.toLowerCase().split("-")[0];
}

function wanted() {
  const known = (tag) => (tag && Object.hasOwn(LANGUAGES, base(tag)) ? base(tag) : undefined);
  return known(link.get("lang")) ?? known(kept()) ?? (navigator.languages ?? []).map(known).find(Boolean) ?? "en";
}

function kept() {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    return undefined; // storage is closed to pages in frames in some browsers
  }
}

/** Show the pages in another language from now on. */
export function speak(chosen) {
  try {
    localStorage.setItem(CHOICE, chosen);
  } catch {
    // see above: then the address says it
  }
  const address = new URL(location.href);
  if (address.searchParams.has("lang") || kept() !== chosen) address.searchParams.set("lang", chosen);
  if (address.href === location.href) location.reload();
  else location.replace(address);
}

/** What to say for a text, with the values of its places in braces; `n` decides between singular and plural. */
export function t(text, values = {}) {
  return pattern(text, values).replace(PLACE, (whole, name) => (name in values ? written(values[name]) : whole));
}

/** The same where values may be elements: a list of children. */
export function pieces(text, values) {
  const found = [];
  let end = 0;
  const words = pattern(text, values);
  for (const match of words.matchAll(PLACE)) {
    found.push(words.slice(end, match.index), written(values[match[1]]));
    end = match.index + match[0].length;
  }
  return [...found, words.slice(end)];
}

function pattern(text, values) {
  const found = texts[text] ?? text;
  return typeof found === "string" ? found : (found[plurals.select(values.n)] ?? found.other);
}

const written = (value) => (typeof value === "number" ? numbers.format(value) : value);
