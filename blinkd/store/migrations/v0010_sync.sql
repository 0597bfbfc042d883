-- The outbox is the chain itself: an entry waits for the relay from the transaction that adds it until a receipt says that it is stored.
-- (The jobs that stood here named entries, all of which are in the chain, and people, all of whom are in registry_changes below.)
DROP TABLE sync_queue;
CREATE INDEX chain_pending ON chain (seq) WHERE sync = 'PENDING';

-- What the relay does not take, or this terminal cannot send: its place in the chain goes there, what it holds does not.
CREATE TABLE set_aside (
    seq INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    words TEXT NOT NULL
);

-- What every terminal of the organisation knows: people, templates, and the keys' own records.
CREATE TABLE registry (
    record TEXT PRIMARY KEY,  -- the relay's name of it, which says nothing of whose it is
    type TEXT NOT NULL CHECK (type IN ('person', 'template', 'terminal', 'epoch', 'revocation', 'keyring')),
    local_id TEXT,  -- the person or template here; null once it is deleted
    version INTEGER NOT NULL DEFAULT 0,  -- the relay's newest one that this terminal knows; 0: none
    edit INTEGER NOT NULL DEFAULT 0,  -- counts the changes made here
    sync TEXT NOT NULL CHECK (sync IN ('PENDING', 'SYNCED', 'FAILED')),
    deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)),
    reason TEXT,  -- of FAILED
    epoch TEXT,  -- of the keys that the relay's version is sealed with
    open TEXT,  -- what a record that is no secret says, as JSON
    admin BLOB  -- the administrator's signature, where the type needs one
) WITHOUT ROWID;
CREATE UNIQUE INDEX registry_by_local ON registry (type, local_id) WHERE local_id IS NOT NULL;
CREATE INDEX registry_pending ON registry (record) WHERE sync = 'PENDING';

-- What has changed here since the relay was told: noted by triggers, so that no way of changing people can forget it.
CREATE TABLE registry_changes (
    type TEXT NOT NULL,
    local_id TEXT NOT NULL,
    PRIMARY KEY (type, local_id)
) WITHOUT ROWID;
INSERT INTO registry_changes SELECT 'person', id FROM people UNION ALL SELECT 'template', id FROM templates;

-- Records that came from the relay and cannot be used, with the reason; tried again when a key or a person arrives.
CREATE TABLE registry_quarantine (
    record TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    reason TEXT NOT NULL,
    words TEXT NOT NULL,
    change TEXT NOT NULL,  -- as it came
    certificate BLOB NOT NULL  -- of its author
) WITHOUT ROWID;

-- Changes of this terminal that another one's came before; what they held, sealed as it was sent.
CREATE TABLE registry_conflicts (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    record TEXT NOT NULL,
    local_id TEXT,  -- null once the person is deleted
    winner TEXT NOT NULL,  -- the terminal whose change stands
    lost TEXT  -- the envelope; null for a deletion
);

-- How often templates have come and gone: whoever holds them in memory looks here instead of reading all of them again.
CREATE TABLE template_changes (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    added INTEGER NOT NULL,
    removed INTEGER NOT NULL
);
INSERT INTO template_changes VALUES (1, 0, 0);

CREATE TRIGGER people_added_sync AFTER INSERT ON people BEGIN
    INSERT OR IGNORE INTO registry_changes VALUES ('person', NEW.id);
END;
CREATE TRIGGER people_changed_sync AFTER UPDATE ON people BEGIN
    INSERT OR IGNORE INTO registry_changes VALUES ('person', NEW.id);
END;
CREATE TRIGGER people_gone_sync AFTER DELETE ON people BEGIN
    DELETE FROM registry_changes WHERE type = 'person' AND local_id = OLD.id;
    UPDATE registry SET deleted = 1, local_id = NULL, edit = edit + 1, sync = 'PENDING' WHERE type = 'person' AND local_id = OLD.id;
    UPDATE registry_conflicts SET local_id = NULL, lost = NULL WHERE local_id = OLD.id;
END;
CREATE TRIGGER memberships_added_sync AFTER INSERT ON memberships BEGIN
    INSERT OR IGNORE INTO registry_changes VALUES ('person', NEW.person_id);
END;
CREATE TRIGGER memberships_gone_sync AFTER DELETE ON memberships WHEN EXISTS (SELECT 1 FROM people WHERE id = OLD.person_id) BEGIN
    INSERT OR IGNORE INTO registry_changes VALUES ('person', OLD.person_id);
END;
CREATE TRIGGER enrolments_added_sync AFTER INSERT ON enrolments BEGIN
    INSERT OR IGNORE INTO registry_changes VALUES ('person', NEW.person_id);
END;
CREATE TRIGGER templates_added_sync AFTER INSERT ON templates BEGIN
    INSERT OR IGNORE INTO registry_changes VALUES ('template', NEW.id);
    UPDATE template_changes SET added = added + 1;
END;
CREATE TRIGGER templates_changed_sync AFTER UPDATE ON templates BEGIN
    INSERT OR IGNORE INTO registry_changes VALUES ('template', NEW.id);
    UPDATE template_changes SET removed = removed + 1;
END;
CREATE TRIGGER templates_gone_sync AFTER DELETE ON templates BEGIN
    DELETE FROM registry_changes WHERE type = 'template' AND local_id = OLD.id;
    UPDATE registry SET deleted = 1, local_id = NULL, edit = edit + 1, sync = 'PENDING' WHERE type = 'template' AND local_id = OLD.id;
    UPDATE template_changes SET removed = removed + 1;
END;
