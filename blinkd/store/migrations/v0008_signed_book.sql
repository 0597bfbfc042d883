-- The book becomes evidence: every entry is chained to the one before and signed; what is in it names people by a pseudonym (`subject`),
-- so that a person can be erased and the chain still holds. Times are integers (microseconds since 1970, UTC), which reports add up fast.

ALTER TABLE people ADD COLUMN subject INTEGER;
UPDATE people SET subject = random() & 9007199254740991;  -- 53 bits, which every reader of JSON keeps exact
CREATE UNIQUE INDEX people_by_subject ON people (subject);
-- new pseudonyms follow from id and salt, so that `log verify` notices when somebody else is put in a person's place; null: from before
ALTER TABLE people ADD COLUMN salt BLOB;
ALTER TABLE people ADD COLUMN valid_from TEXT;  -- local dates, both included; null: no limit
ALTER TABLE people ADD COLUMN valid_until TEXT;

CREATE TABLE memberships (
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (person_id, name)
) WITHOUT ROWID;

-- ids of people who are gone, where the policy keeps hours under the id; those who were deleted by earlier versions among them
CREATE TABLE former_people (
    subject INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    salt BLOB
);
CREATE INDEX former_people_by_id ON former_people (id);
INSERT INTO former_people (subject, id)
    SELECT random() & 9007199254740991, person_id FROM (
        SELECT person_id FROM punches UNION SELECT person_id FROM scan_log WHERE person_id IS NOT NULL
    ) WHERE person_id NOT IN (SELECT id FROM people);

CREATE TABLE signed_punches (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    id TEXT NOT NULL UNIQUE,
    subject INTEGER NOT NULL,  -- no foreign key: hours outlive a deleted person
    us INTEGER NOT NULL,  -- what the wall clock showed
    boot_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    clock TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('CHECK_IN', 'CHECK_OUT')),
    punctuality TEXT NOT NULL CHECK (punctuality IN ('ON_TIME', 'LATE', 'EARLY_LEAVE', 'OVERTIME')),
    minutes INTEGER NOT NULL,
    shift TEXT,
    terminal TEXT NOT NULL,
    similarity REAL NOT NULL
);

-- seq 0 begins the book. The salt hides the content from whoever sees only the commitment; it is erased with the content, and then the
-- entry proves nothing but its place. Entries that are older than the chain have no signature of their own: the next one's covers them.
CREATE TABLE chain (
    seq INTEGER PRIMARY KEY CHECK (seq >= 0),
    salt BLOB,
    commitment BLOB NOT NULL,
    hash BLOB NOT NULL,
    signature BLOB,
    sync TEXT NOT NULL DEFAULT 'PENDING' CHECK (sync IN ('PENDING', 'SYNCED', 'FAILED'))
);

-- what the chain holds besides punches: canonical JSON; `note` is a person's own words, whose digest stands in the content
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY CHECK (seq >= 0),
    content TEXT NOT NULL,
    note TEXT,
    note_salt BLOB,
    kind TEXT GENERATED ALWAYS AS (json_extract(content, '$.kind')) VIRTUAL,
    target INTEGER GENERATED ALWAYS AS (json_extract(content, '$.target')) VIRTUAL,
    subject INTEGER GENERATED ALWAYS AS (json_extract(content, '$.subject')) VIRTUAL
);

INSERT INTO signed_punches (seq, id, subject, us, boot_s, boot_id, clock, status, punctuality, minutes, terminal, similarity)
    SELECT seq, punches.id, coalesce(people.subject, former_people.subject),
           CAST(strftime('%s', utc) AS INTEGER) * 1000000
               + CASE WHEN instr(utc, '.') THEN CAST(substr(substr(utc, instr(utc, '.') + 1, instr(utc, '+') - instr(utc, '.') - 1) || '000000', 1, 6) AS INTEGER) ELSE 0 END,
           boot_s, boot_id, clock, punches.status, punctuality, minutes_late, terminal, similarity
    FROM punches LEFT JOIN people ON people.id = punches.person_id LEFT JOIN former_people ON former_people.id = punches.person_id;

CREATE TABLE scans (
    seq INTEGER PRIMARY KEY,
    us INTEGER NOT NULL,
    boot_s REAL NOT NULL,
    boot_id TEXT NOT NULL,
    clock TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'refused')),
    reason TEXT,
    subject INTEGER,
    similarity REAL,
    details TEXT NOT NULL
);
INSERT INTO scans (seq, us, boot_s, boot_id, clock, outcome, reason, subject, similarity, details)
    SELECT seq,
           CAST(strftime('%s', utc) AS INTEGER) * 1000000
               + CASE WHEN instr(utc, '.') THEN CAST(substr(substr(utc, instr(utc, '.') + 1, instr(utc, '+') - instr(utc, '.') - 1) || '000000', 1, 6) AS INTEGER) ELSE 0 END,
           boot_s, boot_id, clock, outcome, reason, coalesce(people.subject, former_people.subject), similarity, details
    FROM scan_log LEFT JOIN people ON people.id = scan_log.person_id LEFT JOIN former_people ON former_people.id = scan_log.person_id;

-- entries of the old book wait unsigned until the book is next written to; their place in the chain is made then
CREATE TABLE unsigned_sync (seq INTEGER PRIMARY KEY, sync TEXT NOT NULL);
INSERT INTO unsigned_sync SELECT seq, sync FROM punches;

DROP TABLE punches;
DROP TABLE scan_log;
ALTER TABLE signed_punches RENAME TO punches;
ALTER TABLE scans RENAME TO scan_log;

CREATE INDEX punches_by_subject ON punches (subject, seq);
CREATE INDEX punches_by_time ON punches (us);
CREATE INDEX punches_unsynced ON punches (boot_id, seq) WHERE clock = 'unsynced';
CREATE INDEX entries_by_kind ON entries (kind, seq);
CREATE INDEX entries_by_target ON entries (target) WHERE target IS NOT NULL;
CREATE INDEX entries_by_subject ON entries (subject) WHERE subject IS NOT NULL;
CREATE INDEX scan_log_by_subject ON scan_log (subject) WHERE subject IS NOT NULL;

-- Content may go only after its salt has gone, which `log verify` accepts only where a signed entry says so.
CREATE TRIGGER punches_keep BEFORE DELETE ON punches WHEN NOT EXISTS (SELECT 1 FROM chain WHERE seq = OLD.seq AND salt IS NULL) BEGIN
    SELECT RAISE(ABORT, 'punches are never deleted');
END;
CREATE TRIGGER punches_fixed BEFORE UPDATE ON punches BEGIN
    SELECT RAISE(ABORT, 'punches are never changed');
END;
-- INSERT OR REPLACE would delete the old row without asking the triggers on DELETE
CREATE TRIGGER punches_new BEFORE INSERT ON punches WHEN EXISTS (SELECT 1 FROM punches WHERE seq = NEW.seq OR id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'punches are never replaced');
END;
CREATE TRIGGER entries_keep BEFORE DELETE ON entries WHEN NOT EXISTS (SELECT 1 FROM chain WHERE seq = OLD.seq AND salt IS NULL) BEGIN
    SELECT RAISE(ABORT, 'entries of the book are never deleted');
END;
CREATE TRIGGER entries_fixed BEFORE UPDATE ON entries
    WHEN NEW.seq IS NOT OLD.seq OR NEW.content IS NOT OLD.content OR NEW.note IS NOT NULL OR NEW.note_salt IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'entries of the book are never changed');
END;
CREATE TRIGGER entries_new BEFORE INSERT ON entries WHEN EXISTS (SELECT 1 FROM entries WHERE seq = NEW.seq) BEGIN
    SELECT RAISE(ABORT, 'entries of the book are never replaced');
END;
CREATE TRIGGER chain_keep BEFORE DELETE ON chain BEGIN
    SELECT RAISE(ABORT, 'the chain only grows');
END;
CREATE TRIGGER chain_fixed BEFORE UPDATE ON chain
    WHEN NEW.seq IS NOT OLD.seq OR NEW.commitment IS NOT OLD.commitment OR NEW.hash IS NOT OLD.hash OR NEW.signature IS NOT OLD.signature
        OR (NEW.salt IS NOT OLD.salt AND NEW.salt IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the chain only grows');
END;
CREATE TRIGGER chain_new BEFORE INSERT ON chain WHEN EXISTS (SELECT 1 FROM chain WHERE seq = NEW.seq) BEGIN
    SELECT RAISE(ABORT, 'the chain only grows');
END;
-- retention sets the number up to which the scan log may go, then deletes
CREATE TRIGGER scan_log_keep BEFORE DELETE ON scan_log
    WHEN OLD.seq > coalesce((SELECT CAST(value AS INTEGER) FROM settings WHERE key = 'scan_log_kept_after'), 0)
BEGIN
    SELECT RAISE(ABORT, 'the scan log is append-only');
END;
CREATE TRIGGER scan_log_fixed BEFORE UPDATE ON scan_log BEGIN
    SELECT RAISE(ABORT, 'the scan log is append-only');
END;
CREATE TRIGGER scan_log_new BEFORE INSERT ON scan_log WHEN EXISTS (SELECT 1 FROM scan_log WHERE seq = NEW.seq) BEGIN
    SELECT RAISE(ABORT, 'the scan log is append-only');
END;
