// The addresses of pages. An operator's address begins with the application, so that it is a permanent link for every
// operator; a consumer has one application, and short addresses.

import { session } from "./session.js";

const OF_APPLICATION = /^#\/applications\/([^/?]+)(?=\/)/;

/** The link to a page, such as "/endpoints", of the current application. */
export function to(path) {
  const { operator, application } = session();
  return operator && application ? within(application, path) : `#${path}`;
}

/** The link to a page of an application, for an operator. */
export function within(application, path) {
  return `#/applications/${encodeURIComponent(application)}${path}`;
}

/** The application (if any) and the page that an address names. */
export function placed(hash) {
  const found = OF_APPLICATION.exec(hash);
  return found ? { application: decoded(found[1]), path: hash.slice(found[0].length) } : { path: hash.slice(1) };
}

/** Decode a part of an address. */
export function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
