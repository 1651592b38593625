-- The order of an endpoint's deliveries: which key a message keeps it by, and of a delivery its number, and the key for
-- as long as it has a place in the order. Of all with one key, one has the turn, and the others are due in the year 9999.

ALTER TABLE webhook_message ADD COLUMN ordering_key TEXT;
ALTER TABLE webhook_delivery ADD COLUMN order_key TEXT;
ALTER TABLE webhook_delivery ADD COLUMN order_number INTEGER;

-- The first of a key is the one that has the turn, or, where nobody has it, the one that is to get it.
CREATE INDEX webhook_delivery_in_order ON webhook_delivery (endpoint_id, order_key, due_at, order_number)
    WHERE order_key IS NOT NULL;
-- The orders that have stopped at a failure.
CREATE INDEX webhook_delivery_stopped ON webhook_delivery (endpoint_id) WHERE order_key IS NOT NULL AND due_at IS NULL;

-- Until when an endpoint waits as a whole, because too many attempts failed.
ALTER TABLE webhook_endpoint ADD COLUMN paused_until INTEGER;
