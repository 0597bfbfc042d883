-- Whose change of a record stands here, which of that author's, which version the author knew, and whether it only brought that version again: so
-- that an older change that is shown once more is known for what it is. No author: this terminal, whose changes `edit` counts;
-- an empty one: the relay has lost it.
ALTER TABLE registry ADD COLUMN author TEXT;
ALTER TABLE registry ADD COLUMN author_edit INTEGER;
ALTER TABLE registry ADD COLUMN author_base INTEGER;
ALTER TABLE registry ADD COLUMN author_again INTEGER;
