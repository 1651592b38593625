-- Every table is prefixed, because the file may be the one that a host program keeps its own tables in.
-- Instants are microseconds since the epoch. Lists of names and maps are JSON.

CREATE TABLE webhook_application (
    id              TEXT    NOT NULL PRIMARY KEY,
    organization_id TEXT    NOT NULL,
    uid             TEXT,
    name            TEXT    NOT NULL,
    throttle_rate   INTEGER,
    metadata        TEXT    NOT NULL DEFAULT '{}',
    deleted         INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX webhook_application_by_uid ON webhook_application (organization_id, uid) WHERE uid IS NOT NULL;
CREATE INDEX webhook_application_by_organization ON webhook_application (organization_id, id) WHERE deleted = 0;

CREATE TABLE webhook_endpoint (
    id               TEXT    NOT NULL PRIMARY KEY,
    application_id   TEXT    NOT NULL REFERENCES webhook_application (id),
    organization_id  TEXT    NOT NULL,
    uid              TEXT,
    url              TEXT    NOT NULL,
    description      TEXT    NOT NULL,
    event_types      TEXT,
    channels         TEXT,
    throttle_rate    INTEGER,
    version          INTEGER NOT NULL,
    metadata         TEXT    NOT NULL DEFAULT '{}',
    sealed_key       BLOB    NOT NULL,
    old_keys         TEXT    NOT NULL DEFAULT '[]', -- [[base64 of the sealed key, expires_at], …], newest first
    sealed_headers   BLOB,
    first_failure_at INTEGER,
    last_failure_at  INTEGER,
    warned           INTEGER NOT NULL DEFAULT 0,
    disabled_at      INTEGER,
    disabled_reason  TEXT,
    deleted          INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX webhook_endpoint_by_uid ON webhook_endpoint (application_id, uid) WHERE uid IS NOT NULL;
CREATE INDEX webhook_endpoint_by_application ON webhook_endpoint (application_id, id) WHERE deleted = 0;

CREATE TABLE webhook_event_type (
    organization_id TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    archived        INTEGER NOT NULL,
    deprecated      INTEGER NOT NULL,
    schemas         TEXT,
    feature_flags   TEXT    NOT NULL DEFAULT '[]',
    group_name      TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    PRIMARY KEY (organization_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_message (
    id                 TEXT    NOT NULL PRIMARY KEY,
    application_id     TEXT    NOT NULL REFERENCES webhook_application (id),
    event_type         TEXT    NOT NULL,
    event_id           TEXT,
    channels           TEXT,
    tags               TEXT,
    deliver_at         INTEGER,
    created_at         INTEGER NOT NULL,
    payload_expires_at INTEGER, -- only where the message has a retention of its own
    payload            BLOB     -- last, so that reading the rest of a large row touches no overflow page
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_message_by_application ON webhook_message (application_id, id);
CREATE INDEX webhook_message_by_event_type ON webhook_message (application_id, event_type, id);
CREATE UNIQUE INDEX webhook_message_by_event_id ON webhook_message (application_id, event_id)
    WHERE event_id IS NOT NULL;
CREATE INDEX webhook_message_by_payload_expiry ON webhook_message (payload_expires_at)
    WHERE payload_expires_at IS NOT NULL;

CREATE TABLE webhook_delivery (
    message_id    TEXT    NOT NULL REFERENCES webhook_message (id),
    endpoint_id   TEXT    NOT NULL REFERENCES webhook_endpoint (id),
    status        INTEGER NOT NULL, -- 0 succeeded, 1 pending, 2 failed, 4 cancelled
    due_at        INTEGER,          -- set exactly while an attempt is scheduled
    step          INTEGER NOT NULL DEFAULT 0,
    attempt_count INTEGER NOT NULL DEFAULT 0,
    attempted     INTEGER NOT NULL DEFAULT 0 CHECK (attempted = (attempt_count > 0)), -- for the index by status
    settled_at    INTEGER,
    reason        TEXT,
    PRIMARY KEY (message_id, endpoint_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_delivery_by_due ON webhook_delivery (endpoint_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_delivery_by_status ON webhook_delivery (endpoint_id, status, attempted, message_id);
CREATE INDEX webhook_delivery_by_failure ON webhook_delivery (endpoint_id, settled_at) WHERE status = 2;

-- Attempts that a person asked for and that were not made yet.
CREATE TABLE webhook_manual_attempt (
    endpoint_id TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    message_id  TEXT    NOT NULL,
    PRIMARY KEY (endpoint_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_attempt (
    message_id      TEXT    NOT NULL REFERENCES webhook_message (id),
    id              TEXT    NOT NULL,
    endpoint_id     TEXT    NOT NULL REFERENCES webhook_endpoint (id),
    status          INTEGER NOT NULL, -- 0 success, 2 fail
    status_code     INTEGER NOT NULL,
    duration_ms     INTEGER NOT NULL,
    trigger         INTEGER NOT NULL, -- 0 scheduled, 1 manual
    url             TEXT    NOT NULL,
    request_headers TEXT    NOT NULL,
    response        BLOB    NOT NULL, -- UTF-8
    PRIMARY KEY (message_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_attempt_by_endpoint ON webhook_attempt (endpoint_id, status, id);

CREATE TABLE webhook_task (
    id              TEXT    NOT NULL PRIMARY KEY,
    organization_id TEXT    NOT NULL,
    application_id  TEXT,
    endpoint_id     TEXT,
    task            TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    cursor          TEXT,
    data            TEXT    NOT NULL DEFAULT '{}',
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_task_by_organization ON webhook_task (organization_id, id);
CREATE INDEX webhook_task_running ON webhook_task (status, id) WHERE status = 'running';
