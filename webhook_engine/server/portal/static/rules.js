// The delivery settings of the server.

import { app, get } from "./api.js";
import { session } from "./session.js";

let known;
let knownFor;

/** The settings: `timeoutMs`, `recoverMaxAgeMs`, `signatureHeaders` and so on. */
export function deliveryRules() {
  const { token, application } = session();
  const now = `${application} ${token}`;
  if (!known || knownFor !== now) {
    knownFor = now;
    known = get(app("delivery-rules")).catch((error) => {
      known = undefined;
      throw error;
    });
  }
  return known;
}
