// Calls Play's own API.

import { t } from "../../portal/static/language.js";

export const root = new URL(document.querySelector("meta[name=root]").content, location.href);

const WORDS = {
  404: t("There is no such inbox, or it has expired."),
  422: t("This is not possible: check what you typed."),
  429: t("Too many inboxes were asked for; try again in a moment."),
  503: t("The server is busy; try again in a moment."),
};

export async function call(method, path, body) {
  let response;
  try {
    response = await fetch(new URL(`play/${path}`, root), {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? {} : { "content-type": "application/json" },
      credentials: "omit",
      cache: "no-store",
    });
  } catch {
    throw Object.assign(new Error(t("The server cannot be reached; trying again.")), { status: 0 });
  }
  const text = await response.text();
  const value = text ? JSON.parse(text) : undefined;
  if (!response.ok) {
    throw Object.assign(new Error(WORDS[response.status] ?? t("Something went wrong on our side; try again in a moment.")), { status: response.status });
  }
  return value;
}
