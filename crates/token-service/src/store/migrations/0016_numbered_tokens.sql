-- Tokens that say the number of their row: nothing is searched by hash any more, so the indexes of hashes go, and whatever
-- named a grant by its text names it by its number.
-- What stands in an earlier token's text is its secret alone. Those that are alive keep an entry each that says where their row
-- is now (earlier_tokens); it is the only table that still finds by hash, and empties by itself.

-- AUTOINCREMENT: an access token names its grant without a reference (there would have to be an index for the grant's end), so a
-- grant's number must never be another's.
CREATE TABLE grants_new (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    grant_id        TEXT NOT NULL UNIQUE,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    user_id         TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    scope           TEXT NOT NULL,
    resources       TEXT NOT NULL,
    claims          TEXT NOT NULL,
    session_id      TEXT,
    auth_time       INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    revoked_at      INTEGER
) STRICT;
INSERT INTO grants_new
    SELECT id, grant_id, client_id, user_id, scope, resources, claims, session_id, auth_time, expires_at, revoked_at FROM grants;
DROP TABLE grants;
ALTER TABLE grants_new RENAME TO grants;
CREATE INDEX grants_by_expiry ON grants (expires_at);
CREATE INDEX grants_by_user ON grants (user_id);
CREATE INDEX grants_by_session ON grants (session_id) WHERE session_id IS NOT NULL;

CREATE TABLE earlier_tokens (
    token_hash      BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
    kind            TEXT NOT NULL CHECK (kind IN ('code', 'refresh_token', 'access_token')),
    number          INTEGER NOT NULL,
    generation      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX earlier_tokens_by_expiry ON earlier_tokens (expires_at);

-- A grant's code has the grant's number.
INSERT INTO earlier_tokens
    SELECT code_hash, 'code', grants.number, 0, grants.expires_at FROM codes JOIN grants USING (grant_id);
CREATE TABLE codes_new (
    number          INTEGER PRIMARY KEY REFERENCES grants (number) ON DELETE CASCADE,
    code_hash       BLOB NOT NULL CHECK (length(code_hash) = 32),
    redirect_uri    TEXT NOT NULL,
    challenge       BLOB CHECK (challenge IS NULL OR length(challenge) = 32),
    nonce           TEXT,
    dpop_jkt        TEXT,
    expires_at      INTEGER NOT NULL,
    spent_at        INTEGER
) STRICT;
INSERT INTO codes_new
    SELECT grants.number, code_hash, redirect_uri, challenge, nonce, dpop_jkt, codes.expires_at, spent_at
    FROM codes JOIN grants USING (grant_id);
DROP TABLE codes;
ALTER TABLE codes_new RENAME TO codes;

-- One row a family, with the grant's number, that is changed in place: the token that is current, and what its direct predecessor
-- needs to bring it once more (its hash, the seed that made one of the other, when and how often it was used). A token of an
-- earlier generation was used, whatever it is: that it is ours its text proves.
CREATE TABLE refresh_families (
    number          INTEGER PRIMARY KEY REFERENCES grants (number) ON DELETE CASCADE,
    generation      INTEGER NOT NULL,
    token_hash      BLOB NOT NULL CHECK (length(token_hash) = 32),
    predecessor     BLOB CHECK (length(predecessor) = 32),
    seed            BLOB CHECK (length(seed) = 16),
    rotated_at      INTEGER,
    graces          INTEGER NOT NULL,
    dpop_jkt        TEXT,
    expires_at      INTEGER NOT NULL
) STRICT;
CREATE TABLE chain AS
    WITH RECURSIVE chain (id, grant_id, generation) AS (
        SELECT id, grant_id, 0 FROM refresh_tokens AS oldest
            WHERE predecessor IS NULL OR NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE id = oldest.predecessor)
        UNION ALL
        SELECT successor.id, chain.grant_id, generation + 1
            FROM chain JOIN refresh_tokens AS successor ON successor.predecessor = chain.id
    )
    SELECT * FROM chain;
INSERT INTO earlier_tokens
    SELECT token_hash, 'refresh_token', grants.number, generation, grants.expires_at
    FROM chain JOIN refresh_tokens USING (id) JOIN grants ON grants.grant_id = chain.grant_id;
-- Of the rows of a group, those of max() stand beside it. Where the newest that is left was used, its successor was purged before
-- it: such a family has nothing left to use, and a used token must not begin it again.
INSERT INTO refresh_families
    SELECT grants.number, generation, token.token_hash, before.token_hash, before.seed, before.used_at,
           coalesce(before.uses, 1) - 1, token.dpop_jkt, token.expires_at
    FROM (SELECT id, grant_id, max(generation) AS generation FROM chain GROUP BY grant_id)
         JOIN refresh_tokens AS token USING (id)
         JOIN grants ON grants.grant_id = token.grant_id
         LEFT JOIN refresh_tokens AS before ON before.id = token.predecessor
    WHERE token.uses = 0;
DROP TABLE chain;
DROP TABLE refresh_tokens;

-- What many access tokens say alike, once. A row stays for as long as a token of it can be alive; its number is never another's,
-- for the same reason as a grant's. With the client it goes, and all of its tokens are dead.
CREATE TABLE access_token_kinds (
    kind            INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    audience        TEXT NOT NULL,
    scope           TEXT NOT NULL,
    lifetime        INTEGER NOT NULL,
    keep_until      INTEGER NOT NULL,
    UNIQUE (client_id, audience, scope, lifetime)
) STRICT;
INSERT INTO access_token_kinds (client_id, audience, scope, lifetime, keep_until)
    SELECT client_id, audience, scope, expires_at - issued_at, max(expires_at) FROM access_tokens GROUP BY 1, 2, 3, 4;

-- The number is when the token expires, times 2^22, and a count: rows lie in the order they expire in, and purging takes them
-- off the front. When it was issued its kind tells; of a person's, the grant says whose it is and when they signed in.
-- Sixteen bytes of the hash: as many as tell two secrets apart, and as its name (jti) has.
CREATE TABLE access_tokens_new (
    number          INTEGER PRIMARY KEY,
    secret_hash     BLOB NOT NULL CHECK (length(secret_hash) = 16),
    kind            INTEGER NOT NULL,
    grant_number    INTEGER,
    jkt             TEXT
) STRICT;
CREATE TABLE numbered AS
    SELECT id, (expires_at << 22) + row_number() OVER (PARTITION BY expires_at ORDER BY id) - 1 AS number FROM access_tokens;
INSERT INTO earlier_tokens
    SELECT token_hash, 'access_token', number, 0, expires_at FROM access_tokens JOIN numbered USING (id);
INSERT INTO access_tokens_new
    SELECT numbered.number, substr(token_hash, 1, 16), kind, grants.number, jkt
    FROM access_tokens AS token JOIN numbered USING (id)
         JOIN access_token_kinds AS kinds ON kinds.client_id = token.client_id AND kinds.audience = token.audience
              AND kinds.scope = token.scope AND kinds.lifetime = token.expires_at - token.issued_at
         LEFT JOIN grants USING (grant_id)
    ORDER BY 1;
DROP TABLE numbered;
DROP TABLE access_tokens;
ALTER TABLE access_tokens_new RENAME TO access_tokens;
