-- The edit by which this terminal changes nothing, but brings a relay again what it has lost; any later edit is a change.
ALTER TABLE registry ADD COLUMN again INTEGER;
