-- The outbox of Webhook Engine, for MySQL 8 and MariaDB 10.5 or newer. Any program, in any language, may insert rows in
-- its own transaction:
--   INSERT INTO webhook_outbox (application, event_type, payload) VALUES ('acme', 'invoice.paid', '{"id":1}');
-- The engine takes rows in the order of id and deletes what it has taken. What it can never deliver stays, with error.
CREATE TABLE IF NOT EXISTS webhook_outbox (
    id           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    application  VARCHAR(256) NOT NULL, -- id or uid
    event_type   VARCHAR(256) NOT NULL,
    payload      LONGBLOB NOT NULL, -- the exact body to send
    event_id     VARCHAR(256),  -- a name of the writer's, unique per application: of several rows only one is sent
    channels     TEXT,          -- JSON array of 1 to 10 names
    tags         TEXT,          -- JSON array of up to 5 names
    deliver_at   VARCHAR(64),   -- RFC 3339: not before this time
    organization VARCHAR(256),  -- where there are several: org_...
    message_id   VARCHAR(64),   -- made by enqueue(); otherwise leave it to the engine
    created_at   TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    error        TEXT,          -- set by the engine: why the row can never be delivered; it is left alone from then on
    failed_at    TIMESTAMP(6) NULL, -- set by the engine, together with error: since when
    KEY webhook_outbox_waiting (failed_at, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
