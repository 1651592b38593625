-- Fingerprints of the secrets that all engines need the same of, by the name of the setting.
ALTER TABLE webhook_member ADD COLUMN secrets JSONB NOT NULL DEFAULT '{}';
