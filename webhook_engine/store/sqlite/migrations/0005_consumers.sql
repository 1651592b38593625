-- Where the consumers of the message poller stand.

CREATE TABLE webhook_consumer (
    application_id TEXT    NOT NULL REFERENCES webhook_application (id),
    sink           TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    position       TEXT    NOT NULL, -- the id of a message, or a bound of ids: what comes after it is next
    used_at        INTEGER NOT NULL,
    PRIMARY KEY (application_id, sink, name)
) STRICT, WITHOUT ROWID;
