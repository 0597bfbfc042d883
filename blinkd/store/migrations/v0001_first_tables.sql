-- The origin's first schema: people with their embedding in the same row, every scan attempt, and what waits to be synchronised.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    embedding BLOB,
    model_mode TEXT,
    enrolled_at TEXT NOT NULL,
    sync_status TEXT NOT NULL DEFAULT 'PENDING' CHECK (sync_status IN ('PENDING', 'SYNCED', 'FAILED'))
);
CREATE TABLE authentication_logs (
    id TEXT PRIMARY KEY,
    user_id TEXT,
    timestamp TEXT NOT NULL,
    success INTEGER NOT NULL,
    similarity REAL,
    liveness_passed INTEGER,
    reason TEXT
);
CREATE TABLE sync_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_type TEXT NOT NULL,
    record_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'SYNCED', 'FAILED')),
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
);
