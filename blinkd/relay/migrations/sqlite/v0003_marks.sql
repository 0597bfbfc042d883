-- For each version of a registry the word of the connection that gave it out, its era. A terminal that knows a version by another word, or one
-- that is not here, knows it from a time which this database, an older copy that was put back, has lost.
CREATE TABLE registry_marks (
    org TEXT NOT NULL,
    version INTEGER NOT NULL,
    mark TEXT NOT NULL,
    PRIMARY KEY (org, version)
);
CREATE INDEX registry_marks_by_mark ON registry_marks (org, mark, version);

-- The change that stands says again what the version before it was, which had been lost.
ALTER TABLE registry ADD COLUMN again BOOLEAN NOT NULL DEFAULT FALSE;
