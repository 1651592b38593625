-- The outbox of Webhook Engine, for SQLite. Any program, in any language, may insert rows in its own transaction:
--   INSERT INTO webhook_outbox (application, event_type, payload) VALUES ('acme', 'invoice.paid', '{"id":1}');
-- The engine takes rows in the order of id and deletes what it has taken. What it can never deliver stays, with error.
CREATE TABLE IF NOT EXISTS webhook_outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    application  TEXT NOT NULL, -- id or uid
    event_type   TEXT NOT NULL,
    payload      NOT NULL,      -- text or blob: the exact body to send
    event_id     TEXT,          -- a name of the writer's, unique per application: of several rows only one is sent
    channels     TEXT,          -- JSON array of 1 to 10 names
    tags         TEXT,          -- JSON array of up to 5 names
    deliver_at   TEXT,          -- RFC 3339: not before this time
    organization TEXT,          -- where there are several: org_…
    message_id   TEXT,          -- made by enqueue(); otherwise leave it to the engine
    created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    error        TEXT,          -- set by the engine: why the row can never be delivered; it is left alone from then on
    failed_at    TEXT           -- set by the engine: since when
);

CREATE INDEX IF NOT EXISTS webhook_outbox_waiting ON webhook_outbox (id) WHERE error IS NULL;
