-- The terminal's own schema. What the origin's tables held is carried over, but for embeddings: they lie there unencrypted and were
-- made by a model that is not recorded, so these people have no template and must be enrolled again (doctor says who).
PRAGMA secure_delete = ON;

CREATE TABLE people (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DEACTIVATED')),
    enrolled_at TEXT NOT NULL,
    envelope TEXT  -- version 1 envelope of the mobile app, kept until it can be read with the organisation's key
);

CREATE TABLE templates (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    model_id TEXT NOT NULL,
    dimension INTEGER NOT NULL CHECK (dimension > 0),
    sealed BLOB NOT NULL,  -- AES-256-GCM, bound to id, person and model
    quality REAL NOT NULL,
    source TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX templates_by_person ON templates (person_id);
CREATE INDEX templates_by_model ON templates (model_id);

CREATE TABLE punches (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    id TEXT NOT NULL UNIQUE,
    person_id TEXT NOT NULL,  -- no foreign key: hours outlive a deleted person
    utc TEXT NOT NULL,
    boot_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    clock TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('CHECK_IN', 'CHECK_OUT')),
    punctuality TEXT NOT NULL,
    minutes_late INTEGER NOT NULL,
    terminal TEXT NOT NULL,
    similarity REAL NOT NULL,
    sync TEXT NOT NULL DEFAULT 'PENDING' CHECK (sync IN ('PENDING', 'SYNCED', 'FAILED'))
);
CREATE INDEX punches_by_person ON punches (person_id, seq);
CREATE INDEX punches_by_time ON punches (utc);

CREATE TABLE scan_log (
    seq INTEGER PRIMARY KEY,
    utc TEXT NOT NULL,
    boot_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    clock TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'refused')),
    reason TEXT,
    person_id TEXT,
    similarity REAL,
    details TEXT NOT NULL
);

INSERT INTO people (id, name, status, enrolled_at, envelope)
    SELECT id, name, status, enrolled_at, encrypted_envelope_json FROM users;
INSERT INTO punches (seq, id, person_id, utc, boot_s, boot_id, clock, status, punctuality, minutes_late, terminal, similarity, sync)
    SELECT row_number() OVER (ORDER BY timestamp, id), id, person_id, timestamp, 0, 'origin', 'unsynced', status, punctuality, 0,
           'origin', 0, sync_status
    FROM attendance;
INSERT INTO scan_log (utc, boot_s, boot_id, clock, outcome, reason, person_id, similarity, details)
    SELECT timestamp, 0, 'origin', 'unsynced', CASE success WHEN 1 THEN 'accepted' ELSE 'refused' END, reason, user_id, similarity,
           json_object('id', id, 'live', liveness_passed)
    FROM authentication_logs ORDER BY timestamp, id;

DROP TABLE users;
DROP TABLE authentication_logs;
DROP TABLE attendance;

CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE INDEX sync_queue_by_status ON sync_queue (status, id);

CREATE TRIGGER punches_keep BEFORE DELETE ON punches BEGIN
    SELECT RAISE(ABORT, 'punches are never deleted');
END;
CREATE TRIGGER punches_fixed BEFORE UPDATE OF
    seq, id, person_id, utc, boot_s, boot_id, clock, status, punctuality, minutes_late, terminal, similarity ON punches
BEGIN
    SELECT RAISE(ABORT, 'punches are never changed');
END;
CREATE TRIGGER scan_log_keep BEFORE DELETE ON scan_log BEGIN
    SELECT RAISE(ABORT, 'the scan log is append-only');
END;
CREATE TRIGGER scan_log_fixed BEFORE UPDATE ON scan_log BEGIN
    SELECT RAISE(ABORT, 'the scan log is append-only');
END;
