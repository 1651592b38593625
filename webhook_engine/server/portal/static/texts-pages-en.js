// English: the texts of all pages but the first.

const few = (one, other) => ({ one, other });

export default {
  "{n} requests are answered with {status} first.": few("{n} request is answered with {status} first.", "{n} requests are answered with {status} first."),
  "{n} endpoints": few("{n} endpoint", "{n} endpoints"),
  "{what}: {n} messages so far…": few("{what}: {n} message so far…", "{what}: {n} messages so far…"),
  "Done: {n} messages on the way.": few("Done: {n} message on the way.", "Done: {n} messages on the way."),
  "This stopped after {n} messages; try again.": few("This stopped after {n} message; try again.", "This stopped after {n} messages; try again."),
  "{good} of {n} signatures verify": few("{good} of {n} signature verifies", "{good} of {n} signatures verify"),
  "{n} requests": few("{n} request", "{n} requests"),
  "{n} more are the same.": few("{n} more is the same.", "{n} more are the same."),
  "Sending again: {handled} of {n} messages.": few("Sending again: {handled} of {n} message.", "Sending again: {handled} of {n} messages."),
  "Paused: {handled} of {n} messages.": few("Paused: {handled} of {n} message.", "Paused: {handled} of {n} messages."),
  "Cancelled after {handled} of {n} messages.": few("Cancelled after {handled} of {n} message.", "Cancelled after {handled} of {n} messages."),
  "Done: {n} messages sent again.": few("Done: {n} message sent again.", "Done: {n} messages sent again."),
  "{n} messages of this time did not succeed.": few("{n} message of this time did not succeed.", "{n} messages of this time did not succeed."),
};
