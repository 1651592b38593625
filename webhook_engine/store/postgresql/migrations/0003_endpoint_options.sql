-- What an endpoint asks for beyond its address and filters, as a JSON object (NULL where that is nothing), and what it
-- proves itself with to its receiver, as an encrypted one.
ALTER TABLE webhook_endpoint ADD COLUMN options TEXT, ADD COLUMN encrypted_credentials BYTEA;

DROP TRIGGER webhook_endpoint_edited ON webhook_endpoint;

-- That it fails, or does not any more, is no edit.
CREATE TRIGGER webhook_endpoint_edited AFTER UPDATE ON webhook_endpoint
    FOR EACH ROW WHEN (
        (
            OLD.uid, OLD.shard, OLD.url, OLD.description, OLD.event_types, OLD.channels, OLD.throttle_rate, OLD.version,
            OLD.metadata, OLD.encrypted_key, OLD.old_keys, OLD.encrypted_headers, OLD.encrypted_user_info, OLD.options,
            OLD.encrypted_credentials, OLD.disabled_at, OLD.disabled_reason, OLD.deleted
        ) IS DISTINCT FROM (
            NEW.uid, NEW.shard, NEW.url, NEW.description, NEW.event_types, NEW.channels, NEW.throttle_rate, NEW.version,
            NEW.metadata, NEW.encrypted_key, NEW.old_keys, NEW.encrypted_headers, NEW.encrypted_user_info, NEW.options,
            NEW.encrypted_credentials, NEW.disabled_at, NEW.disabled_reason, NEW.deleted
        )
    )
    EXECUTE FUNCTION webhook_endpoint_edited();
