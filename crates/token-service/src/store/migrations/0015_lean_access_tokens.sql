-- Opaque access tokens by columns: what is the same for all (the issuer) or stands beside (client, end) is not repeated in
-- each, and nothing is read as JSON. `subject` is NULL for a client's own token; the token's name (`jti`) is made of its hash.
-- The index by hash has a quarter of it: 64 random bits tell tokens apart, and it is the index that new tokens are spread over.
-- The index by grant leaves out what has none. There is none by client: clients are removed now and then, tokens made all the
-- time.

CREATE TABLE access_tokens_new (
    id              INTEGER PRIMARY KEY,
    token_hash      BLOB NOT NULL CHECK (length(token_hash) = 32),
    grant_id        TEXT REFERENCES grants (grant_id) ON DELETE CASCADE,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    subject         TEXT,
    audience        TEXT NOT NULL,
    scope           TEXT NOT NULL,
    issued_at       INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    auth_time       INTEGER,
    jkt             TEXT
) STRICT;
INSERT INTO access_tokens_new (token_hash, grant_id, client_id, subject, audience, scope, issued_at, expires_at, auth_time, jkt)
    SELECT token_hash, grant_id, client_id, nullif(claims ->> 'sub', client_id), claims ->> 'aud', coalesce(claims ->> 'scope', ''),
           claims ->> 'iat', expires_at, claims ->> 'auth_time', claims ->> '$.cnf.jkt'
    FROM access_tokens;
DROP TABLE access_tokens;
ALTER TABLE access_tokens_new RENAME TO access_tokens;
CREATE INDEX access_tokens_by_hash ON access_tokens (substr(token_hash, 1, 8));
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);
CREATE INDEX access_tokens_by_grant ON access_tokens (grant_id) WHERE grant_id IS NOT NULL;
