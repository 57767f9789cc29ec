-- What the ACME server must not forget. Made when an authority first serves ACME; moments are seconds since the epoch.

CREATE TABLE acme_account (
    id           TEXT PRIMARY KEY,
    number       INTEGER NOT NULL UNIQUE, -- in the order of making
    key          TEXT NOT NULL UNIQUE,    -- the thumbprint (RFC 7638): an account is found by it
    jwk          TEXT NOT NULL,
    status       TEXT NOT NULL,           -- valid | deactivated | revoked
    contact      TEXT NOT NULL,           -- a JSON list
    terms        INTEGER NOT NULL,        -- whether terms of service were agreed to
    terms_url    TEXT,                    -- which; not known of accounts of before version 2
    binding      TEXT,                    -- the externalAccountBinding it was made with
    created_at   INTEGER NOT NULL,
    network      TEXT                     -- where it was made from; not known of accounts of before version 4
) STRICT, WITHOUT ROWID;

CREATE INDEX acme_account_created ON acme_account (created_at);
CREATE INDEX acme_account_network ON acme_account (network, created_at);

-- Keys that an operator gave out, each for one account (RFC 8555 §7.3.4).
CREATE TABLE acme_external_key (
    kid          TEXT PRIMARY KEY,
    secret       BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    account      TEXT REFERENCES acme_account (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE acme_order (
    number       INTEGER PRIMARY KEY,     -- in the order of making
    id           TEXT NOT NULL UNIQUE,
    account      TEXT NOT NULL REFERENCES acme_account (id),
    profile      TEXT NOT NULL,
    not_before   INTEGER,                 -- as the client asked
    not_after    INTEGER,
    created_at   INTEGER NOT NULL,
    expires      INTEGER NOT NULL,
    replaces     TEXT,                    -- RFC 9773 §5
    serial       TEXT REFERENCES certificate (serial) -- there once it is valid
) STRICT;

CREATE INDEX acme_order_account ON acme_order (account, created_at);
CREATE INDEX acme_order_replaces ON acme_order (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX acme_order_open ON acme_order (expires) WHERE serial IS NULL;

CREATE TABLE acme_authorization (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    account      TEXT NOT NULL REFERENCES acme_account (id),
    kind         TEXT NOT NULL,           -- dns | ip
    value        TEXT NOT NULL,           -- without `*.`
    wildcard     INTEGER NOT NULL,
    status       TEXT NOT NULL,           -- pending | valid | invalid | deactivated
    expires      INTEGER NOT NULL
) STRICT;

CREATE INDEX acme_authorization_expires ON acme_authorization (expires);
CREATE INDEX acme_authorization_name ON acme_authorization (account, value, kind, wildcard);

CREATE TABLE acme_order_authorization (
    "order"        INTEGER NOT NULL REFERENCES acme_order (number) ON DELETE CASCADE,
    place          INTEGER NOT NULL,
    "authorization" INTEGER NOT NULL REFERENCES acme_authorization (number),
    PRIMARY KEY ("order", place)
) STRICT, WITHOUT ROWID;

CREATE INDEX acme_order_authorization_back ON acme_order_authorization ("authorization");

CREATE TABLE acme_challenge (
    id             TEXT PRIMARY KEY,
    "authorization"  INTEGER NOT NULL REFERENCES acme_authorization (number) ON DELETE CASCADE,
    place          INTEGER NOT NULL,
    kind           TEXT NOT NULL,         -- http-01 | dns-01 | tls-alpn-01
    token          TEXT NOT NULL,
    status         TEXT NOT NULL,         -- pending | processing | valid | invalid
    began_at       INTEGER,               -- when its client said that all is in its place; not known of before version 3
    ended_at       INTEGER,
    tried          TEXT,                  -- where the server looked, a JSON list of texts
    error          TEXT                   -- a problem document
) STRICT, WITHOUT ROWID;

CREATE INDEX acme_challenge_authorization ON acme_challenge ("authorization", place);
