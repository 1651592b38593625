-- What a payload is sent as; NULL is application/json. It is read only together with the payload, and NULL costs nothing.

ALTER TABLE webhook_message ADD COLUMN content_type TEXT;
