-- Sessions that ended where nobody could tell their clients of it: a program beside the server changed a password or removed a
-- person. The server that runs, or the next one to start, tells them (OpenID Connect Back-Channel Logout 1.0). No reference to
-- the person, who may be gone.
CREATE TABLE untold_logouts (
    session_id      TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    client_id       TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    PRIMARY KEY (session_id, client_id)
) STRICT, WITHOUT ROWID;
