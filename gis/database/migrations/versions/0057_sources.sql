-- A source that the service reads by itself: how far it is, and what it waits for. One a layer.
CREATE TABLE gis.source (
  layer_id text PRIMARY KEY,
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
  connector text NOT NULL,
  reads text NOT NULL,
  simulated boolean NOT NULL DEFAULT false,
  active boolean NOT NULL DEFAULT true,
  since timestamptz NOT NULL DEFAULT now(),
  cursor jsonb NOT NULL DEFAULT '{}',
  token bigint,
  started_at timestamptz,
  last_try timestamptz,
  last_success timestamptz,
  last_change timestamptz,
  newest timestamptz,
  crashes int NOT NULL DEFAULT 0,
  failures int NOT NULL DEFAULT 0,
  error text NOT NULL DEFAULT '',
  next_due timestamptz NOT NULL DEFAULT now(),
  open_until timestamptz,
  question jsonb,
  answers jsonb NOT NULL DEFAULT '{}',
  confirmed boolean NOT NULL DEFAULT false,
  paused_at timestamptz,
  paused_by text,
  columns jsonb NOT NULL DEFAULT '{}',
  fresh_until timestamptz,
  missed_since timestamptz
);
COMMENT ON COLUMN gis.source.reads IS 'digest of what the layer file says to read; another begins anew';
COMMENT ON COLUMN gis.source.active IS 'false: the layer file names no such source any more';
COMMENT ON COLUMN gis.source.cursor IS 'of the connector, as of the last batch that is stored';
COMMENT ON COLUMN gis.source.token IS 'of the run that may store; an older run is refused';
COMMENT ON COLUMN gis.source.started_at IS 'of a run under way; null: none';
COMMENT ON COLUMN gis.source.crashes IS 'runs in a row that ended with their process';
COMMENT ON COLUMN gis.source.last_success IS 'end of the last reading without an error';
COMMENT ON COLUMN gis.source.last_change IS 'last batch that changed a record';
COMMENT ON COLUMN gis.source.newest IS 'greatest time of a record, as the source has it';
COMMENT ON COLUMN gis.source.open_until IS 'the circuit is open: it is not tried before';
COMMENT ON COLUMN gis.source.question IS 'what a person has to decide before it is read again';
COMMENT ON COLUMN gis.source.confirmed IS 'a yes to the last question, for the next run alone';
COMMENT ON COLUMN gis.source.columns IS 'by column: values so far, filled ones, and their kinds';
COMMENT ON COLUMN gis.source.fresh_until IS 'when its promise is missed unless it is read before';

-- Keys that a reading has seen which is not complete yet: what it has not is gone at its end.
CREATE TABLE gis.source_seen (
  layer_id text NOT NULL REFERENCES gis.source (layer_id) ON DELETE CASCADE,
  source_key text NOT NULL,
  PRIMARY KEY (layer_id, source_key)
);

-- What a layer file said of source and fields when records were loaded.
CREATE TABLE gis.layer_mapping (
  layer_id text NOT NULL,
  digest text NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  content jsonb NOT NULL,
  PRIMARY KEY (layer_id, digest)
);
ALTER TABLE gis.load ADD COLUMN mapping text;
COMMENT ON COLUMN gis.load.mapping IS 'digest of gis.layer_mapping; null: loaded by an earlier version';

-- Quality of a load, in the words of ISO 19157. Shares are from 0 to 1, null where there is nothing.
CREATE TABLE gis.load_quality (
  load_id bigint PRIMARY KEY REFERENCES gis.load (id) ON DELETE CASCADE,
  layer_id text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  records int NOT NULL,
  completeness float8,
  validity float8,
  duplicates float8,
  in_hex float8,
  in_commune float8,
  placed jsonb NOT NULL,
  age_s float8
);
CREATE INDEX load_quality_layer ON gis.load_quality (layer_id, at);
COMMENT ON COLUMN gis.load_quality.completeness IS 'filled values of the declared fields';
COMMENT ON COLUMN gis.load_quality.validity IS 'records whose values are as the layer file has them';
COMMENT ON COLUMN gis.load_quality.duplicates IS 'records whose key came again';
COMMENT ON COLUMN gis.load_quality.placed IS 'records by how they were placed';
COMMENT ON COLUMN gis.load_quality.age_s IS 'median seconds from when it happened to the load';

-- Records that a later one replaced, such as a permit by another: they are not stored again.
CREATE TABLE gis.superseded (
  layer_id text NOT NULL,
  source text NOT NULL,
  source_key text NOT NULL,
  by_key text NOT NULL,
  load_id bigint,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (layer_id, source, source_key)
);
CREATE INDEX superseded_load ON gis.superseded (load_id);
-- A record that is gone is found by its key; one that is there by its row.
CREATE INDEX row_history_gone ON gis.row_history (layer_id, (before ->> 'source_key'))
  WHERE act = 'delete';
