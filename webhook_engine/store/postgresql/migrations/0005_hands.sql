-- What is claimed ends with the lease of the engine that claimed it.
ALTER TABLE webhook_kept_response ADD COLUMN claimed_by TEXT COLLATE "C";

-- When the shard of an endpoint becomes another, whoever held the first may not have heard of it yet.
ALTER TABLE webhook_endpoint ADD COLUMN moved_from SMALLINT, ADD COLUMN moved_at TIMESTAMPTZ;

CREATE OR REPLACE FUNCTION webhook_move_endpoints() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- Nobody adds deliveries by the shard that their endpoints are about to leave.
    PERFORM pg_advisory_xact_lock(2003330920, hashtext(current_schema()));
    UPDATE webhook_endpoint
    SET shard = place.shard, moved_from = webhook_endpoint.shard, moved_at = clock_timestamp()
    FROM (
        SELECT id, webhook_shard_of(CASE WHEN NEW.throttle_rate IS NULL THEN id ELSE NEW.id END) AS shard
        FROM webhook_endpoint WHERE application_id = NEW.id
    ) AS place
    WHERE webhook_endpoint.id = place.id AND webhook_endpoint.shard <> place.shard;
    UPDATE webhook_delivery AS delivery SET shard = endpoint.shard
    FROM webhook_endpoint AS endpoint
    WHERE endpoint.application_id = NEW.id AND delivery.endpoint_id = endpoint.id AND delivery.status = 1
        AND delivery.shard <> endpoint.shard;
    UPDATE webhook_manual_attempt AS manual SET shard = endpoint.shard
    FROM webhook_endpoint AS endpoint
    WHERE endpoint.application_id = NEW.id AND manual.endpoint_id = endpoint.id AND manual.shard <> endpoint.shard;
    UPDATE webhook_task AS task SET shard = endpoint.shard
    FROM webhook_endpoint AS endpoint
    WHERE endpoint.application_id = NEW.id AND task.endpoint_id = endpoint.id AND task.status = 'running'
        AND task.shard <> endpoint.shard;
    RETURN NULL;
END
$$;
