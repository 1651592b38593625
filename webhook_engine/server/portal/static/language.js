// The language of the page. Texts in the code are English; the catalogue of the current language, texts-{language}.js,
// has their translations and is loaded together with this module. The portal loads the texts of further pages,
// texts-pages-{language}.js, with the second page that is shown.

import { link } from "./arrival.js";

/** The supported languages, each by its own name. */
export const LANGUAGES = { en: "English", de: "Deutsch", es: "Español", fr: "Français", ja: "日本語", pt: "Português" };
const LEFTWARD = ["ar", "fa", "he", "ur"];
const CHOICE = "webhook-engine.language";

/** The current language: from the link, an earlier choice, or the browser. */
export const language = wanted();

/** The locale of dates and numbers, which keeps the browser's regional variant of the language. */
export const locale = navigator.languages?.find((each) => base(each) === language) ?? { en: "en-GB" }[language] ?? language;

document.documentElement.lang = language;
document.documentElement.dir = LEFTWARD.includes(language) ? "rtl" : "ltr";

const texts = (await import(`./texts-${language}.js`)).default;
const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);
const PLACE = /\{(\w+)\}/g;

/** Load the texts of further pages from their own catalogue, texts-{pages}-{language}.js. */
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
    return undefined; // some browsers block storage for framed pages
  }
}

/** Switch the pages to another language. */
export function speak(chosen) {
  try {
    localStorage.setItem(CHOICE, chosen);
  } catch {
    // see above: the address has the language instead
  }
  const address = new URL(location.href);
  if (address.searchParams.has("lang") || kept() !== chosen) address.searchParams.set("lang", chosen);
  if (address.href === location.href) location.reload();
  else location.replace(address);
}

/** The translation of a text, with its placeholders filled; `n` selects singular or plural. */
export function t(text, values = {}) {
  return pattern(text, values).replace(PLACE, (whole, name) => (name in values ? written(values[name]) : whole));
}

/** The same with values that may be elements; returns a list of children. */
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
