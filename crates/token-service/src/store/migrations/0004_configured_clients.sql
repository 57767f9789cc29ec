-- Clients of the configuration file stand beside registered ones. They come and go with the file.
ALTER TABLE clients ADD COLUMN origin TEXT NOT NULL DEFAULT 'registered' CHECK (origin IN ('registered', 'file'));
