-- Play: temporary inboxes, and what they received.

CREATE TABLE webhook_play_inbox (
    token      TEXT    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    delay_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_play_inbox_by_use ON webhook_play_inbox (used_at);
CREATE INDEX webhook_play_inbox_by_expiry ON webhook_play_inbox (expires_at);

CREATE TABLE webhook_play_request (
    token       TEXT    NOT NULL REFERENCES webhook_play_inbox (token) ON DELETE CASCADE,
    id          TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    method      TEXT    NOT NULL,
    path        TEXT    NOT NULL,
    headers     TEXT    NOT NULL, -- [[name, value], …]
    body        BLOB    NOT NULL,
    PRIMARY KEY (token, id)
) STRICT;
