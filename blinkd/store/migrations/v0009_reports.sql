-- What reports need besides the book: how far each terminal has reported, and what past days came to.

-- how a person stood when they were enrolled, signed; later changes are entries of the book
ALTER TABLE people ADD COLUMN signature BLOB;

CREATE TABLE watermarks (
    terminal TEXT PRIMARY KEY,
    us INTEGER NOT NULL,  -- microseconds since 1970, UTC: every punch of that terminal before it is here
    seq INTEGER NOT NULL  -- the last of its numbers that is here
) WITHOUT ROWID;
CREATE TRIGGER watermarks_rise BEFORE UPDATE ON watermarks WHEN NEW.us < OLD.us OR NEW.seq < OLD.seq BEGIN
    SELECT RAISE(ABORT, 'what a terminal has reported never goes back');
END;

-- Totals of days that are over, so that a trend of thirty days need not read a million punches again. A row is a copy: it goes, in the
-- same transaction, with anything that could change it, and who needs it next computes it anew.
CREATE TABLE day_totals (
    day INTEGER PRIMARY KEY,  -- proleptic ordinal of the local date
    since_us INTEGER NOT NULL,  -- the day depends on punches with since_us <= time < until_us, UTC
    until_us INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,  -- of shifts, holidays, zone and program
    totals TEXT NOT NULL  -- JSON
);
CREATE INDEX day_totals_by_end ON day_totals (until_us);

-- What a report asks of every punch and every person stands in the index itself, so that the rows need not be looked up: half the time.
DROP INDEX punches_by_time;
CREATE INDEX punches_by_time ON punches (us, subject, status, clock);
-- of thousands of corrections, those that a day must heed
CREATE INDEX corrections_by_time ON entries (json_extract(content, '$.us'), target) WHERE kind = 'correction';
CREATE INDEX people_for_rosters ON people (status, subject, enrolled_at, valid_from, valid_until);

CREATE TRIGGER punches_unsettle AFTER INSERT ON punches WHEN NEW.clock <> 'unsynced' BEGIN
    DELETE FROM day_totals WHERE until_us > NEW.us AND since_us <= NEW.us;
END;
-- the time of an untrusted clock may turn out to be any
CREATE TRIGGER punches_unsynced_unsettle AFTER INSERT ON punches WHEN NEW.clock = 'unsynced' BEGIN
    DELETE FROM day_totals WHERE day > 0;  -- without a condition SQLite rewrites its pages even when it is empty
END;
CREATE TRIGGER punches_gone_unsettle AFTER DELETE ON punches BEGIN
    -- one that was corrected counted at another time than its own
    DELETE FROM day_totals WHERE OLD.clock = 'unsynced' OR EXISTS (SELECT 1 FROM entries WHERE target = OLD.seq)
        OR (until_us > OLD.us AND since_us <= OLD.us);
END;
-- A correction takes a punch from where it stood, by its record or an earlier correction, to another time.
CREATE TRIGGER corrections_unsettle AFTER INSERT ON entries WHEN json_extract(NEW.content, '$.kind') = 'correction' BEGIN
    DELETE FROM day_totals WHERE EXISTS (
        SELECT 1 FROM punches WHERE seq = json_extract(NEW.content, '$.target') AND (clock = 'unsynced' OR (us >= since_us AND us < until_us))
    ) OR EXISTS (
        SELECT 1 FROM entries e
        WHERE (e.seq IN (NEW.seq, json_extract(NEW.content, '$.target')) OR e.target = json_extract(NEW.content, '$.target'))
            AND json_extract(e.content, '$.us') >= since_us AND json_extract(e.content, '$.us') < until_us
    );
END;
CREATE TRIGGER entries_unsettle AFTER INSERT ON entries WHEN json_extract(NEW.content, '$.kind') IN ('clock', 'assignment') BEGIN
    DELETE FROM day_totals WHERE day > 0;  -- without a condition SQLite rewrites its pages even when it is empty
END;
CREATE TRIGGER entries_gone_unsettle AFTER DELETE ON entries
    WHEN json_extract(OLD.content, '$.kind') IN ('clock', 'assignment', 'correction')
BEGIN
    DELETE FROM day_totals WHERE day > 0;  -- without a condition SQLite rewrites its pages even when it is empty
END;
CREATE TRIGGER people_new_unsettle AFTER INSERT ON people BEGIN
    DELETE FROM day_totals WHERE day > 0;  -- without a condition SQLite rewrites its pages even when it is empty
END;
CREATE TRIGGER people_gone_unsettle AFTER DELETE ON people BEGIN
    DELETE FROM day_totals WHERE day > 0;  -- without a condition SQLite rewrites its pages even when it is empty
END;
CREATE TRIGGER people_changed_unsettle AFTER UPDATE OF subject, status, enrolled_at, valid_from, valid_until ON people BEGIN
    DELETE FROM day_totals WHERE day > 0;  -- without a condition SQLite rewrites its pages even when it is empty
END;
