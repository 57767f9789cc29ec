-- What an authority must not forget.

CREATE TABLE certificate (
    number      INTEGER PRIMARY KEY,  -- in the order of issuing
    serial      TEXT NOT NULL UNIQUE, -- hexadecimal, without the zero byte that keeps it positive
    issuer      TEXT NOT NULL,        -- root | issuing
    profile     TEXT NOT NULL,
    subject     TEXT NOT NULL,
    not_before  INTEGER NOT NULL,     -- seconds since the epoch
    not_after   INTEGER NOT NULL,
    issued_at   INTEGER NOT NULL,
    key         TEXT NOT NULL,        -- SHA-256 of the SubjectPublicKeyInfo, hexadecimal
    account     TEXT,                 -- of the ACME account, if it came that way
    der         BLOB NOT NULL,
    revoked_at  INTEGER,
    reason      INTEGER
) STRICT;

CREATE INDEX certificate_key ON certificate (key);
CREATE INDEX certificate_not_after ON certificate (not_after);
CREATE INDEX certificate_listed ON certificate (issuer, revoked_at, number, not_after, serial, reason) WHERE revoked_at IS NOT NULL;

CREATE TABLE name (
    name    TEXT NOT NULL,
    serial  TEXT NOT NULL REFERENCES certificate (serial),
    place   INTEGER NOT NULL,
    PRIMARY KEY (serial, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX name_name ON name (name);

CREATE TABLE log (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL,
    serial  TEXT,
    detail  TEXT NOT NULL
) STRICT;

-- The current list of each issuer; its number only rises.
CREATE TABLE crl (
    issuer       TEXT PRIMARY KEY,
    number       INTEGER NOT NULL,
    this_update  INTEGER NOT NULL,
    next_update  INTEGER NOT NULL,
    covers       INTEGER NOT NULL,    -- the last revocation in it: log.id
    der          BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    name   TEXT PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
