-- The user name and password of an endpoint's URL, encrypted; the URL itself has a mask in their place.

ALTER TABLE webhook_endpoint ADD COLUMN sealed_user_info BLOB;

-- URLs from before, whose password is still in clear: looked for at each start, and soon there is none.
CREATE INDEX webhook_endpoint_clear_url ON webhook_endpoint (id) WHERE sealed_user_info IS NULL AND url GLOB '*://*@*';
