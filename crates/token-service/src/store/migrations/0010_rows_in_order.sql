-- Tokens, codes and grants in the order they were made. Keyed by hash, every new row, and every entry in an index that
-- ends in its key, went to a page of its own somewhere in the table, and each page written costs 4 KiB of the log. With a
-- rowid new rows lie side by side; only the index of the hashes themselves is spread.
-- A refresh token names its predecessor by number. AUTOINCREMENT: a number is never given twice.

CREATE TABLE grants_new (
    id              INTEGER PRIMARY KEY,
    grant_id        TEXT NOT NULL UNIQUE,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    user_id         TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    scope           TEXT NOT NULL,
    resources       TEXT NOT NULL,
    auth_time       INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    revoked_at      INTEGER
) STRICT;
INSERT INTO grants_new (grant_id, client_id, user_id, scope, resources, auth_time, expires_at, revoked_at)
    SELECT grant_id, client_id, user_id, scope, resources, auth_time, expires_at, revoked_at FROM grants;
DROP TABLE grants;
ALTER TABLE grants_new RENAME TO grants;
CREATE INDEX grants_by_expiry ON grants (expires_at);
CREATE INDEX grants_by_user ON grants (user_id);

CREATE TABLE codes_new (
    id              INTEGER PRIMARY KEY,
    code_hash       BLOB NOT NULL UNIQUE CHECK (length(code_hash) = 32),
    grant_id        TEXT NOT NULL REFERENCES grants (grant_id) ON DELETE CASCADE,
    redirect_uri    TEXT NOT NULL,
    challenge       BLOB CHECK (challenge IS NULL OR length(challenge) = 32),
    nonce           TEXT,
    dpop_jkt        TEXT,
    expires_at      INTEGER NOT NULL,
    spent_at        INTEGER
) STRICT;
INSERT INTO codes_new (code_hash, grant_id, redirect_uri, challenge, nonce, dpop_jkt, expires_at, spent_at)
    SELECT code_hash, grant_id, redirect_uri, challenge, nonce, dpop_jkt, expires_at, spent_at FROM codes;
DROP TABLE codes;
ALTER TABLE codes_new RENAME TO codes;
CREATE INDEX codes_by_grant ON codes (grant_id);

CREATE TABLE refresh_tokens_new (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash      BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    grant_id        TEXT NOT NULL REFERENCES grants (grant_id) ON DELETE CASCADE,
    predecessor     INTEGER UNIQUE,
    seed            BLOB NOT NULL CHECK (length(seed) = 16),
    dpop_jkt        TEXT,
    expires_at      INTEGER NOT NULL,
    uses            INTEGER NOT NULL DEFAULT 0,
    used_at         INTEGER
) STRICT;
INSERT INTO refresh_tokens_new (token_hash, grant_id, seed, dpop_jkt, expires_at, uses, used_at)
    SELECT token_hash, grant_id, seed, dpop_jkt, expires_at, uses, used_at FROM refresh_tokens;
UPDATE refresh_tokens_new SET predecessor = before.id
    FROM refresh_tokens AS old JOIN refresh_tokens_new AS before ON before.token_hash = old.predecessor
    WHERE old.token_hash = refresh_tokens_new.token_hash;
DROP TABLE refresh_tokens;
ALTER TABLE refresh_tokens_new RENAME TO refresh_tokens;
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

CREATE TABLE access_tokens_new (
    id              INTEGER PRIMARY KEY,
    token_hash      BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    grant_id        TEXT REFERENCES grants (grant_id) ON DELETE CASCADE,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    claims          TEXT NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT;
INSERT INTO access_tokens_new (token_hash, grant_id, client_id, claims, expires_at)
    SELECT token_hash, grant_id, client_id, claims, expires_at FROM access_tokens;
DROP TABLE access_tokens;
ALTER TABLE access_tokens_new RENAME TO access_tokens;
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);
CREATE INDEX access_tokens_by_grant ON access_tokens (grant_id);
CREATE INDEX access_tokens_by_client ON access_tokens (client_id);
