ALTER TABLE gis.quarantine ADD COLUMN load_id bigint;  -- the load that it last came with

-- One act of correction: new values of columns, for one record or many. With `matched` it is a rule
-- too: later loads of the source change the records that have these values, until it is undone.
CREATE TABLE gis.correction (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id  text NOT NULL,
  source    text NOT NULL,
  matched   jsonb,
  changes   jsonb NOT NULL,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  who       text NOT NULL,
  undone_at timestamptz,
  undone_by text
);
CREATE INDEX correction_rule ON gis.correction (layer_id, source)
  WHERE matched IS NOT NULL AND undone_at IS NULL;

-- The records that it changed, and their changed columns before; NULL: the column was empty.
CREATE TABLE gis.corrected_record (
  correction_id bigint NOT NULL REFERENCES gis.correction ON DELETE CASCADE,
  record_id     bigint NOT NULL REFERENCES gis.quarantine ON DELETE CASCADE,
  before        jsonb NOT NULL,
  PRIMARY KEY (correction_id, record_id)
);
CREATE INDEX corrected_record_of ON gis.corrected_record (record_id);

-- A replay over the row of an earlier version is in the history of the row, so that it can be undone.
ALTER TABLE gis.row_history DROP CONSTRAINT row_history_act_check;
ALTER TABLE gis.row_history ADD CONSTRAINT row_history_act_check
  CHECK (act IN ('add', 'replace', 'update', 'delete', 'revert', 'replay'));

-- Columns that a layer file does not declare may hold anything, identity numbers too: their cells are
-- in schema private alone, and quarantine has their names.
ALTER TABLE gis.quarantine ADD COLUMN undeclared text[] NOT NULL DEFAULT '{}';
CREATE TABLE private.undeclared (
  layer_id   text NOT NULL,
  source     text NOT NULL,
  source_key text NOT NULL,
  cells      jsonb NOT NULL,             -- column → text
  sender     text,                       -- who sent the record: he may see it, and the intake desk
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (layer_id, source, source_key)
);
