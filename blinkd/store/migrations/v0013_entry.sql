-- How a punch was made. What was recorded before had no other way than the face.
ALTER TABLE punches ADD COLUMN method TEXT NOT NULL DEFAULT 'face' CHECK (method IN ('face', 'pin', 'badge'));

-- PINs and badges: hashes, sealed by the key of the templates. `lookup` finds a badge, and says nothing without that key.
CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('pin', 'badge')),
    sealed BLOB NOT NULL,
    lookup BLOB,
    created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX credentials_by_person ON credentials (person_id);
CREATE UNIQUE INDEX credentials_pin ON credentials (person_id) WHERE kind = 'pin';
CREATE INDEX credentials_by_lookup ON credentials (lookup) WHERE lookup IS NOT NULL;

-- Who has, or had, any: of them the record that travels tells all there are, be it none. Of anybody else it tells nothing, so that a terminal that
-- knows of no credentials takes none away.
CREATE TABLE credential_holders (person_id TEXT PRIMARY KEY REFERENCES people (id) ON DELETE CASCADE) WITHOUT ROWID;

CREATE TRIGGER credentials_added_sync AFTER INSERT ON credentials BEGIN
    INSERT OR IGNORE INTO registry_changes VALUES ('person', NEW.person_id);
END;
CREATE TRIGGER credentials_changed_sync AFTER UPDATE ON credentials BEGIN
    INSERT OR IGNORE INTO registry_changes VALUES ('person', NEW.person_id);
END;
CREATE TRIGGER credentials_gone_sync AFTER DELETE ON credentials WHEN EXISTS (SELECT 1 FROM people WHERE id = OLD.person_id) BEGIN
    INSERT OR IGNORE INTO registry_changes VALUES ('person', OLD.person_id);
END;

-- Wrong PINs and badges, so that a restart makes nobody's guesses cheaper. who: a person's pseudonym, or -1 for the whole terminal.
CREATE TABLE entry_tries (
    who INTEGER PRIMARY KEY,
    wrong INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    boot_s REAL NOT NULL
);
CREATE TRIGGER entry_tries_gone AFTER DELETE ON people BEGIN
    DELETE FROM entry_tries WHERE who = OLD.subject;
END;
