// Where the pages are. An operator's address begins with the application, so that it means the same page for ever and
// for everybody; a consumer has one application, and short addresses.

import { session } from "./session.js";

const OF_APPLICATION = /^#\/applications\/([^/?]+)(?=\/)/;

/** The link to a page, such as "/endpoints", of the application that is shown. */
export function to(path) {
  const { operator, application } = session();
  return operator && application ? within(application, path) : `#${path}`;
}

/** The link to a page of an application, for an operator. */
export function within(application, path) {
  return `#/applications/${encodeURIComponent(application)}${path}`;
}

/** Which application, if any, and which of its pages an address names. */
export function placed(hash) {
  const found = OF_APPLICATION.exec(hash);
  return found ? { application: decoded(found[1]), path: hash.slice(found[0].length) } : { path: hash.slice(1) };
}

/** A part of an address as it was before it was encoded. */
export function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
