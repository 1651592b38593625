// Error messages for endpoint options, by the broken rule or the place, in words for consumers.

import { t } from "./language.js";

const at = (place) => ({ place: place.replace(/^filter\.?/, "") || t("Filter by payload") });

const BY_RULE = {
  filter_object: (place) => t("{place}: this must be an object of conditions, in braces.", at(place)),
  filter_size: () => t("This filter is too large: it has at most 64 conditions, ten levels, and 4,096 bytes."),
  filter_empty: (place) => t("{place}: there must be at least one condition.", at(place)),
  filter_operator: (place) => t("{place}: there is no such operator.", at(place)),
  filter_ordered: (place) => t("{place}: only numbers and strings can be compared so.", at(place)),
  filter_string: (place) => t("{place}: this must be a string.", at(place)),
  filter_list: (place) => t("{place}: this must be a list, or a string that is looked into.", at(place)),
  filter_boolean: (place) => t("{place}: this must be true or false.", at(place)),
  filter_filters: (place) => t("{place}: this must be a list of filters.", at(place)),
  filter_nested: (place) => t("{place}: there can be no list in a list.", at(place)),
  kept_elsewhere: () => t("Enter this secret again: the one that we keep is only for what it was given for."),
  one_proof: () => t("Something else says already who asks: a header Authorization, or a user name or password in the URL. Remove that first."),
};

const PLAIN = t("This has characters that cannot be sent, or is too long.");
const TIMES = t("Enter event types or groups like invoice.*, each once and with a time that is allowed here.");
const BY_PLACE = {
  timeout: t("Enter a time that is allowed here, or nothing."),
  retrySchedule: t("Enter delays with their units, separated by commas, like 5s, 5m, 2h."),
  timeoutByEventType: TIMES,
  retryScheduleByEventType: TIMES,
  tls: t("These certificates cannot be used: look whether something is missing."),
  contentType: t("Enter a content type, like application/json."),
  userAgent: PLAIN,
  query: t("Enter one parameter a line, like source=shop; at most 20."),
  transformation: t("This one is not offered any more; choose another one."),
  "authentication.username": t("A user name has plain characters and no colon."),
  "authentication.password": PLAIN,
  "authentication.token": t("A token has letters, digits and - . _ ~ + / and no blanks."),
  "authentication.tokenUrl": t("We cannot send to this URL. It must be a whole address without a user name or password, like https://example.com/token."),
  "authentication.clientId": PLAIN,
  "authentication.clientSecret": PLAIN,
  "authentication.scope": PLAIN,
  "tls.certificate": t("This is no certificate in PEM: it begins with BEGIN CERTIFICATE."),
  "tls.key": t("This must be the private key of the certificate, in PEM and without a password."),
  "tls.ca": t("These are no certificates in PEM: each begins with BEGIN CERTIFICATE."),
};

/** The words for a problem in an error response or a test result. */
export function optionWords({ rule, place, field, words }) {
  return BY_RULE[rule]?.(place) ?? BY_PLACE[place] ?? BY_PLACE[field] ?? words;
}
