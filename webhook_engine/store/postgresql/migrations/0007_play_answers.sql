-- What an inbox answers with beyond status and delay, as a JSON object, NULL where that is nothing; how many of the next
-- requests fail before that; and the token of its view, where its owner shares one.
ALTER TABLE webhook_play_inbox ADD COLUMN answer text;
ALTER TABLE webhook_play_inbox ADD COLUMN failures_left integer NOT NULL DEFAULT 0;
ALTER TABLE webhook_play_inbox ADD COLUMN view_token text COLLATE "C";

CREATE UNIQUE INDEX webhook_play_inbox_by_view ON webhook_play_inbox (view_token) WHERE view_token IS NOT NULL;
