-- Who works with the terminal's pages. `known_as` is the name as it is compared (NFKC, without capitals); `password` an argon2id hash. Nobody is
-- ever deleted, for the audit names operators by their number: who has left is disabled.
CREATE TABLE operators (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    known_as TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    temporary INTEGER NOT NULL CHECK (temporary IN (0, 1)),  -- somebody else has chosen the password: another one is asked for at log-in
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_at TEXT NOT NULL
);
CREATE TABLE operator_roles (
    operator INTEGER NOT NULL REFERENCES operators (id),
    role TEXT NOT NULL CHECK (role IN ('supervisor', 'hr', 'technician')),
    PRIMARY KEY (operator, role)
) WITHOUT ROWID;
CREATE TRIGGER operators_keep BEFORE DELETE ON operators BEGIN
    SELECT RAISE(ABORT, 'operators are never deleted');
END;

-- Who is signed in. `token` is the SHA-256 of what the browser holds. Times are of the boot clock, which nobody can set; after a restart of the
-- machine nobody is signed in any more.
CREATE TABLE web_sessions (
    token BLOB PRIMARY KEY,
    operator INTEGER NOT NULL REFERENCES operators (id),
    boot_id TEXT NOT NULL,
    began_s REAL NOT NULL,
    seen_s REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX web_sessions_by_operator ON web_sessions (operator);

-- What was done by the pages, and what was refused. operator: null where nobody was signed in; target: ids, never names.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    us INTEGER NOT NULL,
    boot_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    clock TEXT NOT NULL,
    operator INTEGER,
    roles TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    reason TEXT NOT NULL
);
CREATE INDEX audit_by_operator ON audit (operator, seq);
CREATE TRIGGER audit_keep BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
-- INSERT OR REPLACE would delete the old row without asking the trigger on DELETE
CREATE TRIGGER audit_new BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq) BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
