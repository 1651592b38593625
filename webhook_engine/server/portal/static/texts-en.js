// English: the texts in the code are used, except for those that depend on a number.

const few = (one, other) => ({ one, other });

export default {
  "{n} days": few("{n} day", "{n} days"),
  "{n} hours": few("{n} hour", "{n} hours"),
  "{n} minutes": few("{n} minute", "{n} minutes"),
  "{n} seconds": few("{n} second", "{n} seconds"),
  "{n} event types": few("{n} event type", "{n} event types"),
  "{n} of them wait for a retry.": few("{n} of them waits for a retry.", "{n} of them wait for a retry."),
  "Paused after {n} messages.": few("Paused after {n} message.", "Paused after {n} messages."),
  "Cancelled: {n} messages are on the way.": few("Cancelled: {n} message is on the way.", "Cancelled: {n} messages are on the way."),
  "{n} bytes": few("{n} byte", "{n} bytes"),
};
