// Durations in the API's format: a number with a unit, such as "5m".

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The duration in milliseconds; undefined if it is invalid. */
export function milliseconds(text) {
  const found = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec((text ?? "").trim());
  return found ? Number(found[1]) * UNIT_MS[found[2]] : undefined;
}

/** A duration in the API's format; an invalid one is returned unchanged. */
export function plainDuration(text) {
  const long = milliseconds(text);
  if (long === undefined || long % 1) return text;
  const [unit, size] = Object.entries(UNIT_MS).findLast(([, each]) => long % each === 0);
  return long === 0 ? "0s" : `${long / size}${unit}`;
}

/** The duration in seconds, as a value for a number field; "" for none. */
export function seconds(text) {
  const long = milliseconds(text);
  return long === undefined ? "" : String(long / UNIT_MS.s);
}
