-- The keys that sign tokens, sealed. A key is published from the moment its row is there and signs from `signs_from`, until
-- the next of its algorithm does; the row goes a day after that, when every token it signed has expired.

CREATE TABLE signing_keys (
    kid             TEXT PRIMARY KEY,
    alg             TEXT NOT NULL,
    pem_sealed      BLOB NOT NULL,
    created_at      INTEGER NOT NULL,
    signs_from      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which algorithm a client's ID tokens are signed with.
ALTER TABLE clients ADD COLUMN id_token_alg TEXT NOT NULL DEFAULT 'RS256';
