-- Runs that can be repeated exactly, the alarm's clusters, and how each hex became what it is.

-- What a run read, packed, so that the same run can be made again when the rows have changed.
CREATE TABLE gis.run_input (
  digest  text PRIMARY KEY,              -- SHA-256 of `content`
  content bytea NOT NULL                 -- Parquet; see layers/runs/packing.py
);

ALTER TABLE gis.hotspot_run
  ADD COLUMN input_digest text REFERENCES gis.run_input,
  ADD COLUMN official     boolean NOT NULL DEFAULT true,   -- false: on approximate boundaries
  ADD COLUMN simulated    boolean NOT NULL DEFAULT false;  -- simulated records were among the input
COMMENT ON COLUMN gis.hotspot_run.method IS 'gi_star, stp_scan or emerging';
CREATE INDEX hotspot_run_newest ON gis.hotspot_run (layer_id, method, input_until, id);

-- The last run of each day in Vietnam, with the days (the last not included) of which it tells.
CREATE VIEW gis.run_in_force AS
  SELECT last_of_day.*,
         lead(valid_from) OVER (PARTITION BY layer_id, method ORDER BY valid_from) AS valid_to
  FROM (SELECT DISTINCT ON (layer_id, method, gis.day_of(input_until)) *,
               gis.day_of(input_until) AS valid_from
        FROM gis.hotspot_run
        ORDER BY layer_id, method, gis.day_of(input_until), input_until DESC, id DESC) AS last_of_day;

-- Hot hexes of a run of gi_star.
DROP VIEW layer.hotspots;
ALTER TABLE gis.hotspot
  ADD COLUMN id               bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  ADD COLUMN neighbours_count int,       -- in the hex and its neighbours, which `expected` is of
  ADD COLUMN explanation_vi   text NOT NULL DEFAULT '',
  ADD COLUMN explanation_en   text NOT NULL DEFAULT '';
CREATE INDEX hotspot_geom ON gis.hotspot USING gist (geom);

-- Highest log likelihood ratios of random orders of a stream's days. Arriving records change them
-- little: they are drawn anew each day, and when the number of cases has changed by 2 %.
CREATE TABLE gis.scan_null (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key          text NOT NULL,            -- SHA-256 of layer, stream, day, parameters, code version
  cases        int NOT NULL,
  input_digest text NOT NULL REFERENCES gis.run_input,
  stratified   boolean NOT NULL,
  maxima       double precision[] NOT NULL,
  made_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX scan_null_key ON gis.scan_null (key);

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

-- Cylinders that chance explains least, at most a few a stream, none overlapping another.
CREATE TABLE gis.scan_cluster (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id         bigint NOT NULL REFERENCES gis.hotspot_run ON DELETE CASCADE,
  stream         text NOT NULL,
  rank           int NOT NULL,           -- 1: the strongest of its stream
  tier           text CHECK (tier IN ('watch', 'alert', 'urgent')),  -- NULL: too likely by chance
  geom           geometry(MultiPolygon, 4326) NOT NULL,
  centre         bigint NOT NULL,        -- cell
  radius_m       double precision NOT NULL,
  days           int NOT NULL,
  since          timestamptz NOT NULL,
  until          timestamptz NOT NULL,
  observed       int NOT NULL,
  expected       double precision NOT NULL,
  llr            double precision NOT NULL,
  p              double precision NOT NULL,
  recurrence_days double precision NOT NULL,
  cells          bigint[] NOT NULL,
  communes       text[] NOT NULL,
  records        bigint[] NOT NULL,      -- ids of the layer's rows beneath
  explanation_vi text NOT NULL,
  explanation_en text NOT NULL,
  UNIQUE (run_id, stream, rank)
);
CREATE INDEX scan_cluster_geom ON gis.scan_cluster USING gist (geom);

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

CREATE VIEW layer.hotspots AS
  SELECT h.id, h.geom, gis.h3_text(h.cell) AS cell, r.layer_id AS of_layer, h.commune, h.count,
         h.neighbours_count, h.expected, h.z, h.p, h.q, h.edge, h.explanation_vi, h.explanation_en,
         r.official, r.simulated, r.method, r.run_at, r.input_until AS valid_at, r.id AS run,
         r.valid_from, r.valid_to
  FROM gis.hotspot h JOIN gis.run_in_force r ON r.id = h.run_id;

CREATE VIEW layer.clusters AS
  SELECT c.id, c.geom, r.layer_id AS of_layer, c.stream, c.tier, c.observed, c.expected, c.days,
         c.radius_m, c.llr, c.p, c.recurrence_days, array_to_string(c.communes, ' ') AS communes,
         c.explanation_vi, c.explanation_en, c.since, c.until, r.official, r.simulated, r.method,
         r.run_at, r.input_until AS valid_at, r.id AS run, r.valid_from, r.valid_to
  FROM gis.scan_cluster c JOIN gis.run_in_force r ON r.id = c.run_id
  WHERE c.tier IS NOT NULL;

CREATE VIEW layer.emerging AS
  SELECT e.id, e.geom, gis.h3_text(e.cell) AS cell, r.layer_id AS of_layer, e.commune, e.category,
         e.count, e.steps, e.hot_steps, e.cold_steps, e.last_run, e.z, e.trend_p, e.trend,
         e.explanation_vi, e.explanation_en, r.official, r.simulated, r.run_at,
         r.input_until AS valid_at, r.id AS run, r.valid_from, r.valid_to
  FROM gis.emerging e JOIN gis.run_in_force r ON r.id = e.run_id;

CREATE TRIGGER version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.scan_cluster
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('clusters');
CREATE TRIGGER version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.emerging
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('emerging');
