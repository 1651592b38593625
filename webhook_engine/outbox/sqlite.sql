-- The outbox of Webhook Engine. Any program may insert rows, in its own transaction:
--   INSERT INTO webhook_outbox (application, event_type, payload) VALUES ('acme', 'invoice.paid', '{"id":1}');
CREATE TABLE IF NOT EXISTS webhook_outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    application  TEXT NOT NULL, -- id or uid
    event_type   TEXT NOT NULL,
    payload      NOT NULL,      -- text or blob: the exact body to send
    event_id     TEXT,          -- unique per application, for deduplication
    channels     TEXT,          -- JSON array of names
    tags         TEXT,          -- JSON array of names
    deliver_at   TEXT,          -- RFC 3339: not before this time
    organization TEXT,          -- where there are several
    message_id   TEXT,          -- made by enqueue(); otherwise by the engine
    created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    error        TEXT,          -- why the row can never be delivered; such a row is set aside
    failed_at    TEXT
);
CREATE INDEX IF NOT EXISTS webhook_outbox_waiting ON webhook_outbox (id) WHERE error IS NULL;
