-- Rows of the origin carry times as their writer formed them (a Z at the end, milliseconds, a blank for the T, seconds or milliseconds
-- since 1970). The book compares times as text, so they are brought to the one form it writes. A time that cannot be read becomes
-- 1970, rather than keeping a whole terminal from opening its book.
DROP TRIGGER punches_fixed;
DROP TRIGGER scan_log_fixed;

UPDATE punches SET utc = coalesce(
    CASE
        WHEN utc GLOB '[0-9]*' AND utc NOT GLOB '*[^0-9.]*' AND utc + 0 >= 100000000000 THEN strftime('%Y-%m-%dT%H:%M:%f', utc / 1000.0, 'unixepoch')
        WHEN utc GLOB '[0-9]*' AND utc NOT GLOB '*[^0-9.]*' THEN strftime('%Y-%m-%dT%H:%M:%f', utc + 0, 'unixepoch')
        ELSE strftime('%Y-%m-%dT%H:%M:%f', utc)
    END || '000+00:00', '1970-01-01T00:00:00.000000+00:00')
    WHERE boot_id = 'origin';
UPDATE scan_log SET utc = coalesce(
    CASE
        WHEN utc GLOB '[0-9]*' AND utc NOT GLOB '*[^0-9.]*' AND utc + 0 >= 100000000000 THEN strftime('%Y-%m-%dT%H:%M:%f', utc / 1000.0, 'unixepoch')
        WHEN utc GLOB '[0-9]*' AND utc NOT GLOB '*[^0-9.]*' THEN strftime('%Y-%m-%dT%H:%M:%f', utc + 0, 'unixepoch')
        ELSE strftime('%Y-%m-%dT%H:%M:%f', utc)
    END || '000+00:00', '1970-01-01T00:00:00.000000+00:00')
    WHERE boot_id = 'origin';
-- people enrolled by the terminal itself have a time of its own form, whose microseconds stay
UPDATE people SET enrolled_at = coalesce(
    CASE
        WHEN enrolled_at GLOB '[0-9]*' AND enrolled_at NOT GLOB '*[^0-9.]*' AND enrolled_at + 0 >= 100000000000
            THEN strftime('%Y-%m-%dT%H:%M:%f', enrolled_at / 1000.0, 'unixepoch')
        WHEN enrolled_at GLOB '[0-9]*' AND enrolled_at NOT GLOB '*[^0-9.]*' THEN strftime('%Y-%m-%dT%H:%M:%f', enrolled_at + 0, 'unixepoch')
        ELSE strftime('%Y-%m-%dT%H:%M:%f', enrolled_at)
    END || '000+00:00', '1970-01-01T00:00:00.000000+00:00')
    WHERE enrolled_at NOT LIKE '____-__-__T__:__:__%+00:00';

CREATE TRIGGER punches_fixed BEFORE UPDATE OF
    seq, id, person_id, utc, boot_s, boot_id, clock, status, punctuality, minutes_late, terminal, similarity ON punches
BEGIN
    SELECT RAISE(ABORT, 'punches are never changed');
END;
CREATE TRIGGER scan_log_fixed BEFORE UPDATE ON scan_log BEGIN
    SELECT RAISE(ABORT, 'the scan log is append-only');
END;
-- "UPDATE OF seq" does not see the column under its other names (rowid, oid)
CREATE TRIGGER punches_number BEFORE UPDATE ON punches WHEN NEW.seq IS NOT OLD.seq BEGIN
    SELECT RAISE(ABORT, 'punches are never changed');
END;
-- INSERT OR REPLACE would delete the old row without asking the triggers on DELETE
CREATE TRIGGER punches_new BEFORE INSERT ON punches WHEN EXISTS (SELECT 1 FROM punches WHERE seq = NEW.seq OR id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'punches are never replaced');
END;
CREATE TRIGGER scan_log_new BEFORE INSERT ON scan_log WHEN EXISTS (SELECT 1 FROM scan_log WHERE seq = NEW.seq) BEGIN
    SELECT RAISE(ABORT, 'the scan log is append-only');
END;
