-- In what way an attempt failed, such as blocked, dns or timeout; NULL where it did not, or was made before this.

ALTER TABLE webhook_attempt ADD COLUMN failure TEXT;
