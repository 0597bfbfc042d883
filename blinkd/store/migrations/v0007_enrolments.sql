-- What a template shows (the view is the person's own left or right; the label is the operator's), which templates of different models
-- were made from one moment, and why templates were taken in: consent, and what was decided about a face that looked like another's.
CREATE TABLE enrolments (
    id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('new', 'added', 'refreshed')),
    at TEXT NOT NULL,
    moments INTEGER NOT NULL CHECK (moments >= 0),  -- taken in
    replaced INTEGER NOT NULL CHECK (replaced >= 0),  -- erased for them
    consent TEXT,  -- how it was given, in the operator's words
    own_similarity REAL,  -- with the templates that the person had; null when there was nothing to compare
    lookalike_id TEXT,  -- no foreign key: the decision stays when the other person is deleted
    lookalike_similarity REAL,
    decision TEXT NOT NULL CHECK (decision IN ('none_needed', 'same_person', 'allowed'))
);
CREATE INDEX enrolments_by_person ON enrolments (person_id, at);

ALTER TABLE templates ADD COLUMN view TEXT NOT NULL DEFAULT 'unknown' CHECK (view IN ('front', 'left', 'right', 'unknown'));
ALTER TABLE templates ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE templates ADD COLUMN moment TEXT NOT NULL DEFAULT '';
UPDATE templates SET moment = id;
