// English: the texts of the operator pages.

const few = (one, other) => ({ one, other });

export default {
  "{n} found": few("{n} found", "{n} found"),
  "{n} pending": few("{n} pending", "{n} pending"),
  "{n} changes written": few("{n} change written", "{n} changes written"),
};
