// The appearance of the page: from the server's configuration, the link, and the embedding page. All values are
// validated: a colour must be a colour, a font a font name, and an image must come from an allowed origin.

import { link } from "./arrival.js";

const given = JSON.parse(document.querySelector("meta[name=appearance]")?.content ?? "{}");
const look = document.documentElement;
const root = new URL(document.querySelector("meta[name=root]").content, location.href);

const COLOR = /^#?([0-9a-f]{6})$/i;
const SHORT_COLOR = /^#?([0-9a-f])([0-9a-f])([0-9a-f])$/i;
const FONT = /^[A-Za-z0-9][A-Za-z0-9 _-]{0,63}$/;
const THEMES = ["auto", "light", "dark"];
const FALLBACK_FONTS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif';
const SHEET_MS = 3_000;

/** The name of the platform, if configured. */
export const { name } = given;
export const { homeUrl, docsUrl } = given;

/** Origins of the pages that may embed this one. */
export const parents = given.parents ?? [];

/** The logo beside the name. */
export const logo = pictureOf(link.get("icon")) ?? given.logo;

function pictureOf(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" && (given.images ?? []).includes(url.origin) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/** Apply `theme`, `primaryColor` and `fontFamily`, where given; invalid values are ignored. */
export async function wear({ theme, primaryColor, fontFamily }) {
  if (THEMES.includes(theme)) look.dataset.theme = theme;
  if (typeof fontFamily === "string" && FONT.test(fontFamily)) look.style.setProperty("--text", `"${fontFamily}", ${FALLBACK_FONTS}`);
  const color = typeof primaryColor === "string" ? colorOf(primaryColor) : undefined;
  if (color) await shade(color);
}

function colorOf(text) {
  const short = SHORT_COLOR.exec(text);
  return (short ? short.slice(1).map((each) => each + each).join("") : COLOR.exec(text)?.[1])?.toLowerCase();
}

let shades;

/** The server generates the style sheet with the shades of a colour. */
function shade(color) {
  const sheet = document.createElement("link");
  sheet.rel = "stylesheet";
  sheet.href = new URL(`portal/accent/${color}.css`, root).href;
  const before = shades;
  shades = sheet;
  return new Promise((resolve) => {
    const done = () => (before?.remove(), resolve());
    sheet.addEventListener("load", done, { once: true });
    sheet.addEventListener("error", done, { once: true });
    setTimeout(resolve, SHEET_MS);
    document.head.append(sheet);
  });
}

const DARK = { true: "dark", 1: "dark", false: "light", 0: "light" };

/** The settings from the link; resolves once they are visible. */
export const worn = wear({
  theme: DARK[link.get("darkMode")] ?? link.get("theme"),
  primaryColor: link.get("primaryColor") ?? undefined,
  fontFamily: link.get("fontFamily") ?? undefined,
});
