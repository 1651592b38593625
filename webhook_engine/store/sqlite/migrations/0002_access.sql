-- What the HTTP API keeps.

CREATE TABLE webhook_revocation (
    subject      TEXT    NOT NULL,
    up_to        TEXT    NOT NULL,
    effective_at INTEGER NOT NULL,
    drop_at      INTEGER NOT NULL,
    PRIMARY KEY (subject, up_to)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_portal_link (
    digest          BLOB    NOT NULL PRIMARY KEY,
    organization_id TEXT    NOT NULL,
    application_id  TEXT    NOT NULL,
    feature_flags   TEXT    NOT NULL,
    capabilities    TEXT,
    session_id      TEXT,
    session_ttl_s   INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_answer (
    digest     BLOB    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_answer_by_expiry ON webhook_answer (expires_at);
