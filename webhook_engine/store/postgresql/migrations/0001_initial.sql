-- Every table is prefixed, because the schema may be the one that a host program keeps its own tables in.
-- Instants are microseconds since the epoch. Lists of names and maps are JSON. Ids and names sort by their bytes.
--
-- What there is one of for each message, delivery or attempt has no foreign keys: each would cost a look-up and a lock on
-- a row that all others want too. The statements that write there see to it that what they refer to is there.

CREATE TABLE webhook_application (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL,
    uid             TEXT COLLATE "C",
    name            TEXT    NOT NULL,
    throttle_rate   INTEGER,
    metadata        TEXT    NOT NULL DEFAULT '{}',
    revision        BIGINT  NOT NULL DEFAULT 1, -- grows with every edit of it or of one of its endpoints
    deleted         BOOLEAN NOT NULL DEFAULT false,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL
);

CREATE UNIQUE INDEX webhook_application_by_uid ON webhook_application (organization_id, uid) WHERE uid IS NOT NULL;
CREATE INDEX webhook_application_by_organization ON webhook_application (organization_id, id) WHERE NOT deleted;

CREATE TABLE webhook_endpoint (
    id                  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    application_id      TEXT COLLATE "C" NOT NULL REFERENCES webhook_application (id),
    organization_id     TEXT COLLATE "C" NOT NULL,
    uid                 TEXT COLLATE "C",
    shard               SMALLINT NOT NULL, -- which engine sends to it: whoever holds this shard
    url                 TEXT     NOT NULL,
    description         TEXT     NOT NULL,
    event_types         TEXT,
    channels            TEXT,
    throttle_rate       INTEGER,
    version             INTEGER  NOT NULL,
    metadata            TEXT     NOT NULL DEFAULT '{}',
    encrypted_key       BYTEA    NOT NULL,
    old_keys            TEXT     NOT NULL DEFAULT '[]', -- [[base64 of the encrypted key, expires_at], …], newest first
    encrypted_headers   BYTEA,
    encrypted_user_info BYTEA,
    first_failure_at    BIGINT,
    last_failure_at     BIGINT,
    first_failure_ran   BIGINT,
    last_failure_ran    BIGINT,
    warned              BOOLEAN  NOT NULL DEFAULT false,
    disabled_at         BIGINT,
    disabled_reason     TEXT,
    deleted             BOOLEAN  NOT NULL DEFAULT false,
    created_at          BIGINT   NOT NULL,
    updated_at          BIGINT   NOT NULL
);

CREATE UNIQUE INDEX webhook_endpoint_by_uid ON webhook_endpoint (application_id, uid) WHERE uid IS NOT NULL;
CREATE INDEX webhook_endpoint_by_application ON webhook_endpoint (application_id, id) WHERE NOT deleted;
CREATE INDEX webhook_endpoint_disabled ON webhook_endpoint (id) WHERE disabled_at IS NOT NULL AND NOT deleted;

CREATE TABLE webhook_event_type (
    organization_id TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    description     TEXT    NOT NULL,
    archived        BOOLEAN NOT NULL,
    deprecated      BOOLEAN NOT NULL,
    schemas         TEXT,
    feature_flags   TEXT    NOT NULL DEFAULT '[]',
    group_name      TEXT,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    PRIMARY KEY (organization_id, name)
);

CREATE TABLE webhook_message (
    id                 TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    application_id     TEXT COLLATE "C" NOT NULL,
    event_type         TEXT COLLATE "C" NOT NULL,
    event_id           TEXT COLLATE "C",
    channels           TEXT,
    tags               TEXT,
    deliver_at         BIGINT,
    created_at         BIGINT NOT NULL,
    payload_expires_at BIGINT, -- only where the message has a retention of its own
    trace_context      TEXT,   -- traceparent, and after a line break tracestate
    content_type       TEXT,   -- NULL is application/json
    payload            BYTEA
);

CREATE INDEX webhook_message_by_application ON webhook_message (application_id, id);
CREATE INDEX webhook_message_by_event_type ON webhook_message (application_id, event_type, id);
CREATE UNIQUE INDEX webhook_message_by_event_id ON webhook_message (application_id, event_id)
    WHERE event_id IS NOT NULL;
CREATE INDEX webhook_message_by_payload_expiry ON webhook_message (payload_expires_at)
    WHERE payload_expires_at IS NOT NULL;

CREATE TABLE webhook_delivery (
    message_id    TEXT COLLATE "C" NOT NULL,
    endpoint_id   TEXT COLLATE "C" NOT NULL,
    shard         SMALLINT NOT NULL, -- that of its endpoint
    status        SMALLINT NOT NULL, -- 0 succeeded, 1 pending, 2 failed, 4 cancelled
    due_at        BIGINT,            -- set exactly while an attempt is scheduled
    due_ran       BIGINT,            -- when a retry is due in the time that engines run; NULL: at once, or as the message says
    step          INTEGER  NOT NULL DEFAULT 0,
    attempt_count INTEGER  NOT NULL DEFAULT 0,
    attempted     BOOLEAN  NOT NULL DEFAULT false, -- whether attempt_count is not 0, for the index by status
    asked         BOOLEAN  NOT NULL DEFAULT false, -- whether somebody asked for the attempt that is scheduled
    settled_at    BIGINT,
    reason        TEXT,
    PRIMARY KEY (message_id, endpoint_id)
);

CREATE INDEX webhook_delivery_by_due ON webhook_delivery (shard, endpoint_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_delivery_by_status ON webhook_delivery (endpoint_id, status, attempted, message_id);
CREATE INDEX webhook_delivery_by_failure ON webhook_delivery (endpoint_id, settled_at) WHERE status = 2;

-- Attempts that a person asked for and that were not made yet.
CREATE TABLE webhook_manual_attempt (
    endpoint_id TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    message_id  TEXT COLLATE "C" NOT NULL,
    shard       SMALLINT NOT NULL, -- that of the endpoint
    PRIMARY KEY (endpoint_id, id)
);

CREATE INDEX webhook_manual_attempt_by_shard ON webhook_manual_attempt (shard, endpoint_id);

CREATE TABLE webhook_attempt (
    message_id      TEXT COLLATE "C" NOT NULL,
    id              TEXT COLLATE "C" NOT NULL,
    endpoint_id     TEXT COLLATE "C" NOT NULL,
    status          SMALLINT NOT NULL, -- 0 success, 2 fail
    status_code     INTEGER  NOT NULL,
    duration_ms     BIGINT   NOT NULL,
    trigger         SMALLINT NOT NULL, -- 0 scheduled, 1 manual
    failure         TEXT,              -- in what way it failed, such as blocked, dns or timeout
    url             TEXT     NOT NULL,
    request_headers TEXT     NOT NULL,
    response        BYTEA    NOT NULL, -- UTF-8
    exchange        TEXT,              -- [number, signature, head, look-up, connect, TLS, first byte]
    PRIMARY KEY (message_id, id)
);

CREATE INDEX webhook_attempt_by_endpoint ON webhook_attempt (endpoint_id, status, id);

CREATE TABLE webhook_task (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL,
    application_id  TEXT COLLATE "C",
    endpoint_id     TEXT COLLATE "C",
    shard           SMALLINT NOT NULL, -- which engine runs it: whoever holds this shard
    task            TEXT   NOT NULL,
    status          TEXT COLLATE "C" NOT NULL,
    cursor          TEXT,
    data            TEXT   NOT NULL DEFAULT '{}',
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

CREATE INDEX webhook_task_by_organization ON webhook_task (organization_id, id);
CREATE INDEX webhook_task_running ON webhook_task (id) WHERE status = 'running';

-- What the HTTP API keeps.

CREATE TABLE webhook_revocation (
    subject      TEXT COLLATE "C" NOT NULL,
    up_to        TEXT COLLATE "C" NOT NULL,
    effective_at BIGINT NOT NULL,
    drop_at      BIGINT NOT NULL,
    PRIMARY KEY (subject, up_to)
);

CREATE TABLE webhook_portal_link (
    digest          BYTEA   NOT NULL PRIMARY KEY,
    organization_id TEXT    NOT NULL,
    application_id  TEXT COLLATE "C" NOT NULL,
    feature_flags   TEXT    NOT NULL,
    capabilities    TEXT,
    session_id      TEXT COLLATE "C",
    session_ttl_s   BIGINT  NOT NULL,
    expires_at      BIGINT  NOT NULL
);

CREATE TABLE webhook_kept_response (
    digest     BYTEA  NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    encrypted  BYTEA  NOT NULL
);

CREATE INDEX webhook_kept_response_by_expiry ON webhook_kept_response (expires_at);

-- Where the clients of the message poller stand.
CREATE TABLE webhook_position (
    application_id TEXT COLLATE "C" NOT NULL REFERENCES webhook_application (id),
    sink           TEXT COLLATE "C" NOT NULL,
    name           TEXT COLLATE "C" NOT NULL,
    position       TEXT COLLATE "C" NOT NULL, -- the id of a message, or a bound of ids: what comes after it is next
    used_at        BIGINT NOT NULL,
    PRIMARY KEY (application_id, sink, name)
);

-- Play: temporary inboxes, and what they received.

CREATE TABLE webhook_play_inbox (
    token      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    used_at    BIGINT  NOT NULL,
    status     INTEGER NOT NULL,
    delay_ms   INTEGER NOT NULL
);

CREATE INDEX webhook_play_inbox_by_use ON webhook_play_inbox (used_at);
CREATE INDEX webhook_play_inbox_by_expiry ON webhook_play_inbox (expires_at);

CREATE TABLE webhook_play_request (
    token       TEXT COLLATE "C" NOT NULL REFERENCES webhook_play_inbox (token) ON DELETE CASCADE,
    id          TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    method      TEXT   NOT NULL,
    path        TEXT   NOT NULL,
    headers     TEXT   NOT NULL, -- [[name, value], …]
    body        BYTEA  NOT NULL,
    PRIMARY KEY (token, id)
);

-- What the clock said last, one row for each engine, so that none waits for another to write it.
CREATE TABLE webhook_clock (
    member      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    ran         BIGINT NOT NULL, -- how long engines have run on this database
    seen_at     BIGINT NOT NULL, -- what the clock said last
    believed_at BIGINT NOT NULL, -- the same without what it gained at once and was not believed yet
    doubted_ran BIGINT,          -- how long engines had run when it was doubted first; NULL while it is believed
    last_id     TEXT COLLATE "C" NOT NULL -- the last id that was made, without its prefix
);

-- The engines that are alive, by the clock of the database, and which of them has which shard.

CREATE TABLE webhook_member (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    host       TEXT        NOT NULL,
    pid        INTEGER     NOT NULL,
    version    TEXT        NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE webhook_shard (
    number     SMALLINT NOT NULL PRIMARY KEY,
    member_id  TEXT COLLATE "C",           -- NULL: nobody has it
    generation BIGINT   NOT NULL DEFAULT 0 -- grows at each change of hands
);

CREATE INDEX webhook_shard_by_member ON webhook_shard (member_id);

INSERT INTO webhook_shard (number) SELECT generate_series(0, 1023);
