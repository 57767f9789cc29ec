-- Where a client's users may be sent once they have signed out (OpenID Connect RP-Initiated Logout 1.0 §3.1).
ALTER TABLE clients ADD COLUMN post_logout_redirect_uris TEXT NOT NULL DEFAULT '';
