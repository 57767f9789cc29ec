-- What a client may ask the authorization endpoint for. The names have spaces, so commas separate them.
ALTER TABLE clients ADD COLUMN response_types TEXT NOT NULL DEFAULT 'code';
