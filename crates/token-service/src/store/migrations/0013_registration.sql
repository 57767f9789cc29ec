-- How a client's requests come and what it says of itself, as JSON in the names of its registration. `jwks` of a client that
-- authenticates by private_key_jwt is from now on a JWK set or the address of one.
ALTER TABLE clients ADD COLUMN requests TEXT NOT NULL DEFAULT '{}';
ALTER TABLE clients ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';

-- What its UserInfo answers are signed with; null for plain JSON.
ALTER TABLE clients ADD COLUMN userinfo_alg TEXT;

-- Clients that registered themselves (RFC 7591), and the token each manages itself with (RFC 7592).
CREATE TABLE registrations (
    client_id       TEXT PRIMARY KEY REFERENCES clients (client_id) ON DELETE CASCADE,
    token_hash      BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32)
) STRICT, WITHOUT ROWID;

-- What lets somebody register a client (RFC 7591 §1.2).
CREATE TABLE initial_access_tokens (
    token_hash      BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
    uses_left       INTEGER NOT NULL CHECK (uses_left >= 0),
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX initial_access_tokens_by_expiry ON initial_access_tokens (expires_at);

-- Pushed authorization requests (RFC 9126), sealed. A row stays for as long as a person may take to answer; it goes when they did.
CREATE TABLE pushed_requests (
    uri_hash        BLOB PRIMARY KEY CHECK (length(uri_hash) = 32),
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    form_sealed     BLOB NOT NULL,
    expires_at      INTEGER NOT NULL,
    keep_until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pushed_requests_by_keep_until ON pushed_requests (keep_until);
CREATE INDEX pushed_requests_by_client ON pushed_requests (client_id);
