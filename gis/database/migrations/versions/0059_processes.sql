-- An execution of a process, and its result: a collection `result_<id>` of the service.
CREATE TABLE gis.process_run (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  process text NOT NULL,
  inputs jsonb NOT NULL,
  answer jsonb NOT NULL DEFAULT '{}',
  owner text NOT NULL,
  role text NOT NULL,
  layers text[] NOT NULL DEFAULT '{}',
  job bigint,
  reads jsonb NOT NULL DEFAULT '{}',
  definition jsonb,
  value jsonb,
  log text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  ended_at timestamptz,
  expires_at timestamptz DEFAULT now() + interval '7 days'
);
COMMENT ON COLUMN gis.process_run.inputs IS 'as the request gave them, defaults filled in';
COMMENT ON COLUMN gis.process_run.answer IS 'how the request wants it: response and outputs';
COMMENT ON COLUMN gis.process_run.owner IS 'the name of the key; anonymous: whoever knows the id';
COMMENT ON COLUMN gis.process_run.layers IS 'of a department''s key, as it was when it asked';
COMMENT ON COLUMN gis.process_run.job IS 'of gis.job, whose state holds until the result is there; null: it ran while its request waited';
COMMENT ON COLUMN gis.process_run.reads IS 'version of each layer that the result rests on: who may not read one of them sees nothing of it';
COMMENT ON COLUMN gis.process_run.definition IS 'the layer of the result, as a layer file has it';
COMMENT ON COLUMN gis.process_run.ended_at IS 'when its result was stored; null: there is none';
COMMENT ON COLUMN gis.process_run.expires_at IS 'prolonged when it is read; null: it is kept';
CREATE INDEX process_run_owner ON gis.process_run (owner, created_at DESC);
CREATE INDEX process_run_expiry ON gis.process_run (expires_at);

-- The items of results, one table for all: properties are typed by the layer in `definition`.
CREATE TABLE gis.process_row (
  run uuid NOT NULL REFERENCES gis.process_run ON DELETE CASCADE,
  id bigint NOT NULL,
  geom geometry(Geometry, 4326),
  properties jsonb NOT NULL,
  PRIMARY KEY (run, id)
);
CREATE INDEX process_row_place ON gis.process_row USING gist (run, geom) WHERE geom IS NOT NULL;
