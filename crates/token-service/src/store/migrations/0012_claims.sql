-- What is known of a person beyond name and e-mail address, as JSON with the names of OpenID Connect Core §5.1.
ALTER TABLE users ADD COLUMN claims TEXT NOT NULL DEFAULT '{}';
-- People of the configuration file stand beside others. They come and go with the file.
ALTER TABLE users ADD COLUMN origin TEXT NOT NULL DEFAULT 'registered' CHECK (origin IN ('registered', 'file'));

-- What the request's claims parameter asked for (OpenID Connect Core §5.5), as JSON.
ALTER TABLE grants ADD COLUMN claims TEXT NOT NULL DEFAULT '{}';

-- The sector of a client whose people have pairwise names (OpenID Connect Core §8.1); NULL for public ones.
ALTER TABLE clients ADD COLUMN sector TEXT;
