-- Who changed what through the API and the portal; what operators see of all applications at once; and attempts by
-- answer and duration, read from the index alone.

CREATE TABLE webhook_audit (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL,
    application_id  TEXT COLLATE "C",
    subject         TEXT COLLATE "C" NOT NULL,
    token_id        TEXT COLLATE "C" NOT NULL,
    session_id      TEXT COLLATE "C",
    action          TEXT COLLATE "C" NOT NULL,
    target          TEXT COLLATE "C",
    changes         TEXT NOT NULL, -- JSON array
    address         TEXT
);

CREATE INDEX webhook_audit_by_organization ON webhook_audit (organization_id, id);

CREATE INDEX webhook_endpoint_by_organization ON webhook_endpoint (organization_id, id) WHERE NOT deleted;

DROP INDEX webhook_attempt_by_endpoint;
CREATE INDEX webhook_attempt_by_endpoint ON webhook_attempt (endpoint_id, status, id) INCLUDE (status_code, duration_ms);
