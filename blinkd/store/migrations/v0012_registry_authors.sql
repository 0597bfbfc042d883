-- Whose change of a record stands here, and which of that author's, so that an older one that is shown again is known for what it is. Null: this
-- terminal's own, which `edit` counts.
ALTER TABLE registry ADD COLUMN author TEXT;
ALTER TABLE registry ADD COLUMN author_edit INTEGER;
