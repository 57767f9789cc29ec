-- Access tokens that are only a reference (opaque): their claims stay here, as the JSON a JWT would have carried.
-- And what was revoked before its time: opaque tokens are deleted, JWTs are remembered by the hash of their `jti`.

CREATE TABLE access_tokens (
    token_hash      BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
    grant_id        TEXT REFERENCES grants (grant_id) ON DELETE CASCADE,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    claims          TEXT NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);
CREATE INDEX access_tokens_by_grant ON access_tokens (grant_id);
CREATE INDEX access_tokens_by_client ON access_tokens (client_id);

CREATE TABLE revoked_tokens (
    jti_hash        BLOB PRIMARY KEY CHECK (length(jti_hash) = 32),
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);
