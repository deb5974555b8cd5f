-- Runs of the analysis and their findings. A run is repeatable: its input, parameters and code
-- version are kept.

-- What a run read, packed, so that the same run can be made again when the rows have changed.
CREATE TABLE gis.run_input (
  digest  text PRIMARY KEY,              -- SHA-256 of `content`
  content bytea NOT NULL                 -- Parquet; see layers/detect/snapshot.py
);

CREATE TABLE gis.hotspot_run (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id      text NOT NULL,
  method        text NOT NULL,
  parameters    jsonb NOT NULL,
  input_version bigint NOT NULL,
  input_until   timestamptz NOT NULL,    -- the end of the window
  code_version  text NOT NULL,
  cleaning      jsonb NOT NULL DEFAULT '{}',
  run_at        timestamptz NOT NULL DEFAULT now(),
  input_digest  text REFERENCES gis.run_input,
  official      boolean NOT NULL DEFAULT true,   -- false: on approximate boundaries
  simulated     boolean NOT NULL DEFAULT false   -- simulated records were among the input
);
COMMENT ON COLUMN gis.hotspot_run.method IS 'gi_star, local_moran, stp_scan, series or emerging';
CREATE INDEX hotspot_run_newest ON gis.hotspot_run (layer_id, method, input_until, id);

-- Hot hexes of a run of gi_star.
CREATE TABLE gis.hotspot (
  run_id           bigint NOT NULL REFERENCES gis.hotspot_run ON DELETE CASCADE,
  cell             bigint NOT NULL,
  geom             geometry(Polygon, 4326) NOT NULL,
  commune          text,
  count            int NOT NULL,
  expected         double precision NOT NULL,
  z                double precision,
  p                double precision NOT NULL,
  q                double precision NOT NULL,
  edge             boolean NOT NULL,
  id               bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  neighbours_count int,                  -- in the hex and its neighbours, which `expected` is of
  explanation_vi   text NOT NULL DEFAULT '',
  explanation_en   text NOT NULL DEFAULT '',
  PRIMARY KEY (run_id, cell)
);
CREATE INDEX hotspot_geom ON gis.hotspot USING gist (geom);

-- Hexes that are significantly like or unlike those around them, by local Moran's I.
CREATE TABLE gis.local_moran (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id              bigint NOT NULL REFERENCES gis.hotspot_run ON DELETE CASCADE,
  cell                bigint NOT NULL,
  geom                geometry(Polygon, 4326) NOT NULL,
  commune             text,
  category            text NOT NULL,     -- high_high, low_low, high_low, low_high: it, then those around it
  count               int NOT NULL,
  expected            double precision NOT NULL,
  neighbours_count    int NOT NULL,      -- of those around it, without the hex itself
  neighbours_expected double precision NOT NULL,
  moran               double precision,  -- NULL: no spread
  p                   double precision NOT NULL,
  q                   double precision NOT NULL,
  edge                boolean NOT NULL,
  explanation_vi      text NOT NULL,
  explanation_en      text NOT NULL,
  UNIQUE (run_id, cell)
);
CREATE INDEX local_moran_geom ON gis.local_moran USING gist (geom);

-- The class of each hex that has one, over equal steps of time.
CREATE TABLE gis.emerging (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id         bigint NOT NULL REFERENCES gis.hotspot_run ON DELETE CASCADE,
  cell           bigint NOT NULL,
  geom           geometry(Polygon, 4326) NOT NULL,
  commune        text,
  category       text NOT NULL,          -- hot_new … cold_historical
  count          int NOT NULL,           -- records of the hex in all steps
  steps          int NOT NULL,
  hot_steps      int NOT NULL,
  cold_steps     int NOT NULL,
  last_run       int NOT NULL,           -- hot steps without a break up to the last
  z              double precision,
  trend_p        double precision NOT NULL,
  trend          int NOT NULL,           -- −1, 0, 1
  explanation_vi text NOT NULL,
  explanation_en text NOT NULL,
  UNIQUE (run_id, cell)
);
CREATE INDEX emerging_geom ON gis.emerging USING gist (geom);

-- Null distributions: highest log likelihood ratios of random orders of a stream's days, with what
-- they were drawn for, so that the nearest one serves until the right one is drawn. Arriving records
-- change them little: they are drawn anew each day, and when the number of cases has changed by 2 %.
CREATE TABLE gis.scan_null (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  cases        int NOT NULL,
  input_digest text NOT NULL REFERENCES gis.run_input,
  stratified   boolean NOT NULL,
  maxima       double precision[] NOT NULL,
  made_at      timestamptz NOT NULL DEFAULT now(),
  layer_id     text NOT NULL,
  stream       text NOT NULL,
  last_day     int NOT NULL,             -- of the scan, in Vietnam; days since 1970-01-01
  options      jsonb NOT NULL,           -- of the scan
  code_version text NOT NULL
);
CREATE INDEX scan_null_of_stream ON gis.scan_null (layer_id, stream, last_day);

-- One stream of one run of stp_scan: the p of its strongest cluster is kept for calibration.
CREATE TABLE gis.scan_stream (
  run_id     bigint NOT NULL REFERENCES gis.hotspot_run ON DELETE CASCADE,
  stream     text NOT NULL,
  cases      int NOT NULL,
  stratified boolean NOT NULL,           -- days were permuted within weekdays
  llr        double precision,           -- NULL: no cylinder has more than expected
  p          double precision,
  null_id    bigint REFERENCES gis.scan_null,
  PRIMARY KEY (run_id, stream)
);
COMMENT ON COLUMN gis.scan_stream.null_id IS
  'NULL: no null was near enough, so the run did not judge the stream';

-- Cylinders that chance explains least, at most a few a stream, none overlapping another.
CREATE TABLE gis.scan_cluster (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id          bigint NOT NULL REFERENCES gis.hotspot_run ON DELETE CASCADE,
  stream          text NOT NULL,
  rank            int NOT NULL,          -- 1: the strongest of its stream
  tier            text CHECK (tier IN ('watch', 'alert', 'urgent')),  -- NULL: too likely by chance
  geom            geometry(MultiPolygon, 4326) NOT NULL,
  centre          bigint NOT NULL,       -- cell
  radius_m        double precision NOT NULL,
  days            int NOT NULL,
  since           timestamptz NOT NULL,
  until           timestamptz NOT NULL,
  observed        int NOT NULL,
  expected        double precision NOT NULL,
  llr             double precision NOT NULL,
  p               double precision NOT NULL,
  recurrence_days double precision NOT NULL,
  cells           bigint[] NOT NULL,
  communes        text[] NOT NULL,
  records         bigint[] NOT NULL,     -- ids of the layer's rows that are the evidence
  explanation_vi  text NOT NULL,
  explanation_en  text NOT NULL,
  UNIQUE (run_id, stream, rank)
);
CREATE INDEX scan_cluster_geom ON gis.scan_cluster USING gist (geom);

-- The newest days of each series that has a record in them: counts by commune and stream, and of the
-- whole province.
CREATE TABLE gis.series_result (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id          bigint NOT NULL REFERENCES gis.hotspot_run ON DELETE CASCADE,
  stream          text NOT NULL,
  commune         text,                  -- code; NULL: the whole province
  tier            text CHECK (tier IN ('watch', 'alert', 'urgent')),  -- NULL: usual
  days            int NOT NULL,          -- of which `observed` and `expected` are
  since           timestamptz NOT NULL,
  until           timestamptz NOT NULL,
  observed        int NOT NULL,
  expected        double precision NOT NULL,
  bound           int NOT NULL,          -- the least number of records that is an alert
  p               double precision NOT NULL,  -- of this series alone
  recurrence_days double precision NOT NULL,  -- of the like in any series of the stream
  records         bigint[] NOT NULL,     -- ids of the layer's rows that are the evidence
  explanation_vi  text NOT NULL,
  explanation_en  text NOT NULL,
  UNIQUE NULLS NOT DISTINCT (run_id, stream, commune)
);
