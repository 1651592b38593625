// English: the texts stand in the code as they are shown, but for those that depend on a number.

const few = (one, other) => ({ one, other });

export default {
  "{n} days": few("{n} day", "{n} days"),
  "{n} hours": few("{n} hour", "{n} hours"),
  "{n} minutes": few("{n} minute", "{n} minutes"),
  "{n} seconds": few("{n} second", "{n} seconds"),
  "{n} event types": few("{n} event type", "{n} event types"),
  "{n} endpoints": few("{n} endpoint", "{n} endpoints"),
  "{what}: {n} messages so far…": few("{what}: {n} message so far…", "{what}: {n} messages so far…"),
  "Done: {n} messages on the way.": few("Done: {n} message on the way.", "Done: {n} messages on the way."),
  "This stopped after {n} messages; try again.": few("This stopped after {n} message; try again.", "This stopped after {n} messages; try again."),
  "{good} of {n} signatures verify": few("{good} of {n} signature verifies", "{good} of {n} signatures verify"),
  "{n} requests": few("{n} request", "{n} requests"),
  "{n} more are the same.": few("{n} more is the same.", "{n} more are the same."),
  "{n} bytes": few("{n} byte", "{n} bytes"),
};
