-- What an endpoint asks for beyond its address and filters, as a JSON object; NULL where that is nothing.
ALTER TABLE webhook_endpoint ADD COLUMN options TEXT;

-- What an endpoint proves itself with to its receiver, as an encrypted JSON object.
ALTER TABLE webhook_endpoint ADD COLUMN encrypted_credentials BLOB;
