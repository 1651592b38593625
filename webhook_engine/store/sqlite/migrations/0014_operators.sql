-- Who changed what through the API and the portal; what operators see of all applications at once; and attempts by
-- answer and duration, read from the index alone.

CREATE TABLE webhook_audit (
    id              TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    application_id  TEXT,
    subject         TEXT NOT NULL,
    token_id        TEXT NOT NULL,
    session_id      TEXT,
    action          TEXT NOT NULL,
    target          TEXT,
    changes         TEXT NOT NULL, -- JSON array
    address         TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_audit_by_organization ON webhook_audit (organization_id, id);

CREATE INDEX webhook_endpoint_by_organization ON webhook_endpoint (organization_id, id) WHERE deleted = 0;

DROP INDEX webhook_attempt_by_endpoint;
CREATE INDEX webhook_attempt_by_endpoint ON webhook_attempt (endpoint_id, status, id, status_code, duration_ms);
