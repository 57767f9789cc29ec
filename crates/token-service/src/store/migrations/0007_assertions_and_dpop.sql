-- Clients that authenticate with a signed assertion, and tokens bound to a key (DPoP).
-- SQLite changes no CHECK of a table, so clients is built anew. Foreign keys are off while migrations run, so that dropping
-- the old table takes no grant along, and are checked afterwards.

CREATE TABLE clients_new (
    client_id       TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    auth_method     TEXT NOT NULL CHECK (auth_method IN
                        ('none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt')),
    secret_sealed   BLOB,
    jwks            TEXT,
    application     TEXT NOT NULL CHECK (application IN ('web', 'native')),
    redirect_uris   TEXT NOT NULL,
    grant_types     TEXT NOT NULL,
    scope           TEXT NOT NULL,
    id_token_alg    TEXT NOT NULL,
    dpop_bound      INTEGER NOT NULL CHECK (dpop_bound IN (0, 1)),
    created_at      INTEGER NOT NULL,
    origin          TEXT NOT NULL CHECK (origin IN ('registered', 'file')),
    CHECK ((auth_method IN ('client_secret_basic', 'client_secret_post', 'client_secret_jwt')) = (secret_sealed IS NOT NULL)),
    CHECK ((auth_method = 'private_key_jwt') = (jwks IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO clients_new
    SELECT client_id, name, auth_method, secret_sealed, NULL, application, redirect_uris, grant_types, scope, id_token_alg, 0,
           created_at, origin FROM clients;
DROP TABLE clients;
ALTER TABLE clients_new RENAME TO clients;

-- What may be used once until it expires: the jti of an assertion, the jti of a proof.
CREATE TABLE used_once (
    hash            BLOB PRIMARY KEY CHECK (length(hash) = 32),
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX used_once_by_expiry ON used_once (expires_at);

-- The key a code or refresh token is bound to (RFC 9449 §5, §10): its thumbprint.
ALTER TABLE codes ADD COLUMN dpop_jkt TEXT;
ALTER TABLE refresh_tokens ADD COLUMN dpop_jkt TEXT;
