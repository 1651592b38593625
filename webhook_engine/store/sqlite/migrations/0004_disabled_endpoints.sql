-- How many endpoints are disabled is asked every few seconds, and must not cost a look at all of them.

CREATE INDEX webhook_endpoint_disabled ON webhook_endpoint (id) WHERE disabled_at IS NOT NULL AND deleted = 0;
