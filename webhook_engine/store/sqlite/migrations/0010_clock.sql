-- What elapsed time decides is measured by how long engines have run on this database ("ran", in microseconds), since no
-- clock that is set can change that. And what the clock said last, so that a later start can tell whether it was set.

CREATE TABLE webhook_clock (
    id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    ran         INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL, -- what the clock said last
    believed_at INTEGER NOT NULL, -- the same without what it gained at once and was not believed yet
    doubted_ran INTEGER,          -- how long engines had run when it was doubted first; NULL while it is believed
    last_id     TEXT    NOT NULL  -- the last id that was made, without its prefix
) STRICT;

ALTER TABLE webhook_endpoint ADD COLUMN first_failure_ran INTEGER;
ALTER TABLE webhook_endpoint ADD COLUMN last_failure_ran INTEGER;

-- What ran before is not known. So it is counted from the last failure on, with failures as far apart as the clock says.
UPDATE webhook_endpoint SET first_failure_ran = first_failure_at, last_failure_ran = last_failure_at
WHERE first_failure_at IS NOT NULL;

-- When a retry is due, in the time that the engine runs; NULL: at once, or at the instant that its message was given.
ALTER TABLE webhook_delivery ADD COLUMN due_ran INTEGER;
UPDATE webhook_delivery SET due_ran = due_at WHERE due_at IS NOT NULL AND attempted = 1;

-- Whether somebody asked for the attempt that is scheduled, as with a recovery.
ALTER TABLE webhook_delivery ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
