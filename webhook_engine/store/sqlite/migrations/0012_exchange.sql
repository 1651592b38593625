-- What is kept of the exchange of an attempt beside the body of its response, as a JSON array: which attempt of the
-- schedule it was, the signature as it was sent, the head of the response, and how long its parts took in microseconds:
-- [number, signature, head, look-up, connect, TLS, first byte]. NULL for attempts of before.

ALTER TABLE webhook_attempt ADD COLUMN exchange TEXT;
