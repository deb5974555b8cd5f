-- Series of counts by commune and stream, and of the whole province: the alarm beside the scan.

COMMENT ON COLUMN gis.hotspot_run.method IS 'gi_star, stp_scan, series or emerging';

-- The newest days of each series that has a record in them.
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
  records         bigint[] NOT NULL,     -- ids of the layer's rows beneath
  explanation_vi  text NOT NULL,
  explanation_en  text NOT NULL,
  UNIQUE NULLS NOT DISTINCT (run_id, stream, commune)
);

-- Communes have the shape that they had on the day of the run; the province has none: it would lie
-- over all of them.
CREATE VIEW layer.series AS
  SELECT s.id, u.geom, r.layer_id AS of_layer, s.stream, s.commune,
         coalesce(u.full_name, s.commune) AS name, s.tier, s.observed, s.expected, s.bound, s.days,
         s.p, s.recurrence_days, s.explanation_vi, s.explanation_en, s.since, s.until, r.official,
         r.simulated, r.parameters -> 'series' ->> 'detector' AS detector, r.run_at,
         r.input_until AS valid_at, r.id AS run, r.valid_from, r.valid_to
  FROM gis.series_result s JOIN gis.run_in_force r ON r.id = s.run_id
  LEFT JOIN gis.admin_unit u ON u.level = 'commune' AND u.code = s.commune AND u.geom IS NOT NULL
    AND (u.valid_from IS NULL OR u.valid_from <= r.valid_from)
    AND (u.valid_to IS NULL OR r.valid_from < u.valid_to)
  WHERE gis.is_public(r.layer_id);

CREATE TRIGGER version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.series_result
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('series');

-- When a layer is closed or opened, these layers change.
CREATE OR REPLACE FUNCTION gis.raise_results() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gis.layer SET version = version + 1, changed_at = now()
    WHERE id IN ('hotspots', 'clusters', 'emerging', 'series', 'alerts');
  RETURN NULL;
END $$;
