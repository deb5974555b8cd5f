-- Loads can be listed, compared and reverted: rows name the load that wrote them in `provenance`,
-- and what a load changed or removed is in the history of rows.

ALTER TABLE gis.load
  ADD COLUMN file text,                        -- its name, never a path
  ADD COLUMN mode text CHECK (mode IN ('append', 'upsert', 'replace', 'mirror')), -- NULL: before this
  ADD COLUMN options jsonb NOT NULL DEFAULT '{}', -- answers to questions about the file
  ADD COLUMN removed int NOT NULL DEFAULT 0,
  ADD COLUMN reasons jsonb NOT NULL DEFAULT '{}', -- counts of records that failed, by reason
  ADD COLUMN started_at timestamptz,
  ADD COLUMN ended_at timestamptz,
  ADD COLUMN reverted_at timestamptz,
  ADD COLUMN reverted_by text;
COMMENT ON COLUMN gis.load.loaded_at IS 'time of the transaction: the rows that it wrote have it as updated_at';

ALTER TABLE gis.row_history ADD COLUMN load_id bigint; -- NULL: a change by a person
CREATE INDEX row_history_load ON gis.row_history (load_id, row_id) WHERE load_id IS NOT NULL;

-- Answers to records that were sent with an Idempotency-Key: who sends them again gets the answer.
CREATE TABLE gis.pushed (
  layer_id text NOT NULL,
  who      text NOT NULL,
  key      text NOT NULL,
  sha256   text NOT NULL,                      -- of the body and its options
  answer   jsonb,
  at       timestamptz NOT NULL DEFAULT now(), -- kept for a week
  PRIMARY KEY (layer_id, who, key)
);
CREATE INDEX pushed_at ON gis.pushed (at);
