-- One word for each thing, the same as in the code.

ALTER TABLE webhook_endpoint RENAME COLUMN sealed_key TO encrypted_key;
ALTER TABLE webhook_endpoint RENAME COLUMN sealed_headers TO encrypted_headers;
ALTER TABLE webhook_endpoint RENAME COLUMN sealed_user_info TO encrypted_user_info;

ALTER TABLE webhook_answer RENAME TO webhook_kept_response;
ALTER TABLE webhook_kept_response RENAME COLUMN sealed TO encrypted;
DROP INDEX webhook_answer_by_expiry;
CREATE INDEX webhook_kept_response_by_expiry ON webhook_kept_response (expires_at);

ALTER TABLE webhook_consumer RENAME TO webhook_position;
