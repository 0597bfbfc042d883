-- The origin's second: check-in and check-out.
CREATE TABLE attendance (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('CHECK_IN', 'CHECK_OUT')),
    punctuality TEXT NOT NULL CHECK (punctuality IN ('ON_TIME', 'LATE')),
    sync_status TEXT NOT NULL DEFAULT 'PENDING' CHECK (sync_status IN ('PENDING', 'SYNCED', 'FAILED'))
);
CREATE INDEX attendance_by_person ON attendance (person_id, timestamp);
