-- Sessions get a name that is no secret (ID tokens tell one made of it, `sid`), and remember which clients they signed the
-- person in to: those hear when a session ends (OpenID Connect Back-Channel and Front-Channel Logout 1.0).
ALTER TABLE sessions ADD COLUMN session_id TEXT NOT NULL DEFAULT '';
UPDATE sessions SET session_id = lower(hex(randomblob(16)));
CREATE UNIQUE INDEX sessions_by_id ON sessions (session_id);

CREATE TABLE session_clients (
    session_id      TEXT NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    PRIMARY KEY (session_id, client_id)
) STRICT, WITHOUT ROWID;

-- The session a grant was given in; without offline_access it ends with it. No reference: a grant may outlive its session.
ALTER TABLE grants ADD COLUMN session_id TEXT;
CREATE INDEX grants_by_session ON grants (session_id) WHERE session_id IS NOT NULL;

-- Where a client wants to hear of it, as JSON with the names of its registration.
ALTER TABLE clients ADD COLUMN logout TEXT NOT NULL DEFAULT '{}';
