-- What was answered to questions about the file that a record came from: it is read the same way
-- when it is tried again.
ALTER TABLE gis.quarantine ADD COLUMN answers jsonb NOT NULL DEFAULT '{}';

-- The communes on which the rows of a layer were placed (the key of gis.cell_table); NULL: unknown.
-- Rows placed on others are placed again: see layers.placed_again.
ALTER TABLE gis.layer ADD COLUMN placed_on text;
