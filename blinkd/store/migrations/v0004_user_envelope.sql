-- The origin's fourth: the end-to-end encrypted form of the embedding.
ALTER TABLE users ADD COLUMN encrypted_envelope_json TEXT;
