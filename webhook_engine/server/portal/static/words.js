// The API's errors in words for users of these pages. The API's own texts are for operators and programmers: none of
// them is shown here, except for the response of the user's own server.

import { t } from "./language.js";

const UNREACHED = t("The server cannot be reached. Check your connection, and try again.");

const BY_STATUS = {
  0: UNREACHED,
  400: t("This is not possible. Reload the page, and try again."),
  401: t("Your session has ended; open the link to this page again."),
  403: t("Your access does not allow this. Ask whoever gave you the link."),
  404: t("This does not exist, or not any more."),
  409: t("There is one like this already."),
  413: t("This is too large."),
  422: t("Something here is not allowed."),
  429: t("Too many requests; try again in a moment."),
  502: UNREACHED,
  503: t("The server is busy; try again in a moment."),
  504: UNREACHED,
};

const BY_CODE = {
  limit_reached: t("There are as many of these as there may be. Delete what you do not need, or try again tomorrow."),
  missing_payload: t("The payload is not kept any more, so it cannot be sent again."),
  invalid_scheme: t("This event type has no example to send; choose another one."),
  invalid_range: t("This span of time is too long, or not in the past."),
};

/** What is allowed, by the field with the error. */
const BY_FIELD = {
  url: t("We cannot send to this URL. It must be a whole address, like https://example.com/webhooks."),
  description: t("This text is too long, or has characters that cannot be kept."),
  channels: t("A channel has letters, digits or - _ . : +, and no blanks; there can be at most 10 channels."),
  eventTypes: t("One of these event types is not offered any more. Reload the page to see which there are."),
  eventType: t("This event type cannot be sent; choose another one."),
  filter: t("This filter is not allowed; the documentation says what may stand in it."),
  authentication: t("This cannot be used: look whether something is missing, or has characters that cannot be sent."),
  throttleRate: t("Enter a whole number from 1 to 65535, or nothing for no limit."),
  headers: t("This header cannot be sent: its name has letters, digits and hyphens and is none that we set ourselves, and its value is one line of plain characters."),
  since: t("Choose a time that is in the past, and not too long ago."),
};

const NOT_ALLOWED = BY_STATUS[422];

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

/** One problem: the field, its `place` below the field, the broken `rule`, and the words for it. */
function problemOf({ loc = [], type = "" }) {
  const [first, ...rest] = [loc[1] ?? "", ...loc.slice(2).filter((part) => part.startsWith("["))].join("").split(".");
  const field = camel(first.replace(/\[.*/, ""));
  const place = [camel(first), ...rest.map((part) => (field === "filter" ? part : camel(part)))].join(".");
  return { field, place, rule: type.split(".")[1], words: BY_FIELD[field] ?? NOT_ALLOWED, known: field in BY_FIELD };
}

/**
 * The meaning of an error response: `[text, problems]`; each problem has a `field`, a `place`, a `rule` and `words`.
 */
export function refusalWords(status, answer) {
  let said;
  try {
    said = JSON.parse(answer);
  } catch {
    said = undefined;
  }
  const problems = Array.isArray(said?.detail) ? said.detail.map(problemOf) : [];
  const told = new Set(problems.filter(({ known }) => known).map(({ words }) => words));
  if (told.size) return [[...told].join(" "), problems];
  const failed = t("Something went wrong on our side; try again in a moment.");
  return [BY_CODE[said?.code] ?? BY_STATUS[status] ?? (status >= 500 ? failed : BY_STATUS[400]), problems];
}

/** The problems of a URL, by the code of the API. */
export const URL_WORDS = {
  invalid: BY_FIELD.url,
  https_only: t("The URL must begin with https://."),
  unresolvable: t("There is no server of this name: nothing would arrive. Look for a slip of the pen, or wait until the name is known everywhere."),
  private: t("This address is in a private network. We cannot reach it there: nothing would arrive. Use an address that can be reached from the internet."),
};

/** Replaces the password in a URL. */
export const MASK = "*****@";
export const MASKED_WORDS = t("Type the password in this URL again: the one that we keep is only for the server and the user that it was given for.");

const BLOCKED_BEFORE = "requests to this IP range are blocked"; // attempts from before the kind of failure was recorded

/** The kind of failure of an attempt. */
export function failureOf({ failure, response, responseStatusCode }) {
  return failure ?? (!responseStatusCode && response.startsWith(BLOCKED_BEFORE) ? "blocked" : undefined);
}

export const BLOCKED = t("Nothing was sent: this address is in a private network, which we cannot reach. Use an address that can be reached from the internet.");

const REASONS = [
  [/410/, t("your server answered 410 Gone, which says that it wants nothing more")],
  [/asked for it/, t("your server asked for it, with the header webhook-delivery")],
  [/failure window/, t("no attempt has succeeded for days")],
  [/hand/, t("somebody disabled it here, or whoever sends you these events did")],
];

/** Why an endpoint is disabled. */
export function reasonWords(reason) {
  return REASONS.find(([pattern]) => pattern.test(reason ?? ""))?.[1] ?? t("no reason is known");
}
