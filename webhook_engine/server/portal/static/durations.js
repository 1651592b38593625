// Durations as the API has them: a number with a unit, such as "5m".

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** How long that is, in milliseconds; undefined for what is no duration. */
export function milliseconds(text) {
  const found = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec((text ?? "").trim());
  return found ? Number(found[1]) * UNIT_MS[found[2]] : undefined;
}

/** A duration as the API writes it; what is none stays as it is. */
export function plainDuration(text) {
  const long = milliseconds(text);
  if (long === undefined || long % 1) return text;
  const [unit, size] = Object.entries(UNIT_MS).findLast(([, each]) => long % each === 0);
  return long === 0 ? "0s" : `${long / size}${unit}`;
}

/** The same in seconds, as a field for numbers has it: "" for none. */
export function seconds(text) {
  const long = milliseconds(text);
  return long === undefined ? "" : String(long / UNIT_MS.s);
}
