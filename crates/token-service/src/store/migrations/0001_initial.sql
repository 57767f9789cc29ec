-- Clients, people, sessions, grants and codes.
-- Times are seconds since 1970-01-01. Codes and sessions are kept as SHA-256 of their value, never as the value.
-- Words that many rows repeat in lists (redirect URIs, grants, scopes) are separated by spaces, which none of them can hold.

CREATE TABLE clients (
    client_id       TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    auth_method     TEXT NOT NULL CHECK (auth_method IN ('none', 'client_secret_basic', 'client_secret_post')),
    secret_sealed   BLOB,
    application     TEXT NOT NULL CHECK (application IN ('web', 'native')),
    redirect_uris   TEXT NOT NULL,
    grant_types     TEXT NOT NULL,
    scope           TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    CHECK ((auth_method = 'none') = (secret_sealed IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    user_id         TEXT PRIMARY KEY,
    username        TEXT NOT NULL UNIQUE,
    password_hash   TEXT NOT NULL,
    name            TEXT NOT NULL,
    email           TEXT,
    email_verified  INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    session_hash    BLOB PRIMARY KEY CHECK (length(session_hash) = 32),
    user_id         TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    auth_time       INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- What a person already allowed a client, so that they are not asked every day.
CREATE TABLE consents (
    user_id         TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    scope           TEXT NOT NULL,
    PRIMARY KEY (user_id, client_id)
) STRICT, WITHOUT ROWID;

-- One row for each "allow". A token that names a grant is alive while the row is there and not revoked.
CREATE TABLE grants (
    grant_id        TEXT PRIMARY KEY,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    user_id         TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    expires_at      INTEGER NOT NULL,
    revoked_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_expiry ON grants (expires_at);

CREATE TABLE codes (
    code_hash       BLOB PRIMARY KEY CHECK (length(code_hash) = 32),
    grant_id        TEXT NOT NULL REFERENCES grants (grant_id) ON DELETE CASCADE,
    client_id       TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    redirect_uri    TEXT NOT NULL,
    challenge       BLOB CHECK (challenge IS NULL OR length(challenge) = 32),
    nonce           TEXT,
    scope           TEXT NOT NULL,
    auth_time       INTEGER NOT NULL,
    auth_time_wanted INTEGER NOT NULL CHECK (auth_time_wanted IN (0, 1)),
    expires_at      INTEGER NOT NULL,
    keep_until      INTEGER NOT NULL,
    spent_at        INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_by_keep_until ON codes (keep_until);
CREATE INDEX codes_by_grant ON codes (grant_id);
