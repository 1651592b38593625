-- Several engines on one database: who holds which shard, and what they tell one another.
--
-- What has to be true whoever changes a table, and by whatever statement, is seen to by triggers: in which shard an
-- endpoint is, which revision an application has, and that the other engines hear of an edit.

ALTER TABLE webhook_member
    -- Every message that it accepts from now on has a higher id (without its prefix).
    ADD COLUMN stored_below TEXT COLLATE "C" NOT NULL DEFAULT '';

-- What engines tell one another. After a crash of the server all of it is gone, and every engine reads everything anew.
CREATE UNLOGGED TABLE webhook_notice (
    xid     BIGINT      NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    id      BIGINT      NOT NULL GENERATED ALWAYS AS IDENTITY,
    told_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    content TEXT        NOT NULL, -- JSON
    PRIMARY KEY (xid, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE FUNCTION webhook_shard_of(of TEXT) RETURNS SMALLINT LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (get_byte(digest, 0) * 4 + (get_byte(digest, 1) >> 6))::smallint
    FROM (SELECT sha256(convert_to(of, 'UTF8'))) AS hashed (digest)
$$;

-- The endpoints of an application with a rate limit are in one shard, so that one engine keeps the limit.
CREATE FUNCTION webhook_place_endpoint() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.shard := webhook_shard_of(CASE
        WHEN EXISTS (
            SELECT 1 FROM webhook_application WHERE id = NEW.application_id AND throttle_rate IS NOT NULL
        ) THEN NEW.application_id
        ELSE NEW.id
    END);
    RETURN NEW;
END
$$;

CREATE TRIGGER webhook_place_endpoint BEFORE INSERT ON webhook_endpoint
    FOR EACH ROW EXECUTE FUNCTION webhook_place_endpoint();

CREATE FUNCTION webhook_place_task() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.shard := coalesce(
        (SELECT shard FROM webhook_endpoint WHERE id = NEW.endpoint_id), webhook_shard_of(NEW.id)
    );
    RETURN NEW;
END
$$;

CREATE TRIGGER webhook_place_task BEFORE INSERT ON webhook_task
    FOR EACH ROW EXECUTE FUNCTION webhook_place_task();

CREATE FUNCTION webhook_move_endpoints() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    -- Nobody adds deliveries by the shard that their endpoints are about to leave.
    PERFORM pg_advisory_xact_lock(2003330920, hashtext(current_schema()));
    UPDATE webhook_endpoint
    SET shard = webhook_shard_of(CASE WHEN NEW.throttle_rate IS NULL THEN id ELSE NEW.id END)
    WHERE application_id = NEW.id;
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

CREATE TRIGGER webhook_move_endpoints AFTER UPDATE OF throttle_rate ON webhook_application
    FOR EACH ROW WHEN ((OLD.throttle_rate IS NULL) <> (NEW.throttle_rate IS NULL))
    EXECUTE FUNCTION webhook_move_endpoints();

CREATE FUNCTION webhook_endpoint_edited() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE webhook_application SET revision = pg_current_xact_id()::text::bigint WHERE id = NEW.application_id;
    INSERT INTO webhook_notice (content) VALUES (
        json_build_object(
            'endpoints', json_build_array(json_build_array(NEW.id, NEW.application_id, NEW.shard))
        )::text
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_endpoint_added AFTER INSERT ON webhook_endpoint
    FOR EACH ROW EXECUTE FUNCTION webhook_endpoint_edited();

-- That it fails, or does not any more, is no edit.
CREATE TRIGGER webhook_endpoint_edited AFTER UPDATE ON webhook_endpoint
    FOR EACH ROW WHEN (
        (
            OLD.uid, OLD.shard, OLD.url, OLD.description, OLD.event_types, OLD.channels, OLD.throttle_rate, OLD.version,
            OLD.metadata, OLD.encrypted_key, OLD.old_keys, OLD.encrypted_headers, OLD.encrypted_user_info,
            OLD.disabled_at, OLD.disabled_reason, OLD.deleted
        ) IS DISTINCT FROM (
            NEW.uid, NEW.shard, NEW.url, NEW.description, NEW.event_types, NEW.channels, NEW.throttle_rate, NEW.version,
            NEW.metadata, NEW.encrypted_key, NEW.old_keys, NEW.encrypted_headers, NEW.encrypted_user_info,
            NEW.disabled_at, NEW.disabled_reason, NEW.deleted
        )
    )
    EXECUTE FUNCTION webhook_endpoint_edited();

CREATE FUNCTION webhook_revise_application() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END
$$;

CREATE TRIGGER webhook_revise_application BEFORE INSERT OR UPDATE OF uid, throttle_rate, deleted ON webhook_application
    FOR EACH ROW EXECUTE FUNCTION webhook_revise_application();

CREATE FUNCTION webhook_application_edited() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO webhook_notice (content) VALUES (
        json_build_object('applications', json_build_array(
            json_build_array(NEW.organization_id, NEW.id, OLD.uid), json_build_array(NEW.organization_id, NEW.id, NEW.uid)
        ))::text
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_application_edited AFTER UPDATE ON webhook_application
    FOR EACH ROW WHEN (
        (OLD.uid, OLD.name, OLD.throttle_rate, OLD.metadata, OLD.deleted)
        IS DISTINCT FROM (NEW.uid, NEW.name, NEW.throttle_rate, NEW.metadata, NEW.deleted)
    )
    EXECUTE FUNCTION webhook_application_edited();

CREATE FUNCTION webhook_attempt_asked() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO webhook_notice (content)
    SELECT json_build_object('manual', json_agg(json_build_array(endpoint_id, shard)))::text FROM asked HAVING count(*) > 0;
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_attempt_asked AFTER INSERT ON webhook_manual_attempt
    REFERENCING NEW TABLE AS asked FOR EACH STATEMENT EXECUTE FUNCTION webhook_attempt_asked();

CREATE FUNCTION webhook_task_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO webhook_notice (content) VALUES ('{"tasks":true}');
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_task_added AFTER INSERT ON webhook_task
    FOR EACH STATEMENT EXECUTE FUNCTION webhook_task_added();

CREATE FUNCTION webhook_tokens_revoked() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO webhook_notice (content) VALUES ('{"revocations":true}');
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_tokens_revoked AFTER INSERT OR UPDATE ON webhook_revocation
    FOR EACH STATEMENT EXECUTE FUNCTION webhook_tokens_revoked();

-- Endpoints that are there already.
UPDATE webhook_endpoint AS endpoint SET shard = webhook_shard_of(
    CASE WHEN application.throttle_rate IS NULL THEN endpoint.id ELSE application.id END
) FROM webhook_application AS application WHERE application.id = endpoint.application_id;
UPDATE webhook_delivery AS delivery SET shard = endpoint.shard
FROM webhook_endpoint AS endpoint WHERE delivery.endpoint_id = endpoint.id AND delivery.status = 1;
UPDATE webhook_manual_attempt AS manual SET shard = endpoint.shard
FROM webhook_endpoint AS endpoint WHERE manual.endpoint_id = endpoint.id;
UPDATE webhook_task AS task SET shard = coalesce(
    (SELECT endpoint.shard FROM webhook_endpoint AS endpoint WHERE endpoint.id = task.endpoint_id), webhook_shard_of(task.id)
) WHERE task.status = 'running';
