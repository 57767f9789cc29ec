-- Device authorization (RFC 8628): a code for the device, another for the person. `grant_id` is there once the person allowed
-- it, `denied` if they did not. Polling writes `polled_at` and, when it was too early, a longer `poll_interval`.

CREATE TABLE device_codes (
    device_hash     BLOB PRIMARY KEY CHECK (length(device_hash) = 32),
    user_code       TEXT NOT NULL UNIQUE,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    scope           TEXT NOT NULL,
    resources       TEXT NOT NULL,
    expires_at      INTEGER NOT NULL,
    poll_interval   INTEGER NOT NULL,
    polled_at       INTEGER,
    denied          INTEGER NOT NULL DEFAULT 0 CHECK (denied IN (0, 1)),
    grant_id        TEXT REFERENCES grants (grant_id) ON DELETE CASCADE,
    spent_at        INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX device_codes_by_expiry ON device_codes (expires_at);
CREATE INDEX device_codes_by_grant ON device_codes (grant_id);
