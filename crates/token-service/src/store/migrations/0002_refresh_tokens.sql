-- Refresh tokens. What a person allowed now stands in the grant, once, and codes and refresh tokens name it.
-- A grant outlives its first tokens when it is refreshed; a spent code is kept as long as its grant.

ALTER TABLE grants ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN resources TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN auth_time INTEGER NOT NULL DEFAULT 0;
UPDATE grants SET scope = codes.scope, auth_time = codes.auth_time FROM codes WHERE codes.grant_id = grants.grant_id;
CREATE INDEX grants_by_user ON grants (user_id);

DROP INDEX codes_by_keep_until;
ALTER TABLE codes DROP COLUMN client_id;
ALTER TABLE codes DROP COLUMN user_id;
ALTER TABLE codes DROP COLUMN scope;
ALTER TABLE codes DROP COLUMN auth_time;
ALTER TABLE codes DROP COLUMN auth_time_wanted;
ALTER TABLE codes DROP COLUMN keep_until;

-- One row for each token of a family (a grant). `uses` and `used_at` are written by the one statement that decides whether
-- a token may be used; `predecessor` is the token this one was given for.
CREATE TABLE refresh_tokens (
    token_hash      BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
    grant_id        TEXT NOT NULL REFERENCES grants (grant_id) ON DELETE CASCADE,
    predecessor     BLOB UNIQUE CHECK (predecessor IS NULL OR length(predecessor) = 32),
    seed            BLOB NOT NULL CHECK (length(seed) = 16),
    expires_at      INTEGER NOT NULL,
    uses            INTEGER NOT NULL DEFAULT 0,
    used_at         INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
