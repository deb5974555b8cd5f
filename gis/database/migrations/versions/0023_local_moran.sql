-- Which looks rest on simulated records: an alarm raised by these is none that a budget is held to,
-- and so neither are the days and p-values of such looks.
ALTER TABLE gis.alert_look ADD COLUMN simulated boolean NOT NULL DEFAULT false;
UPDATE gis.alert_look k SET simulated = r.simulated FROM gis.hotspot_run r WHERE r.id = k.run_id;

-- Hexes that are significantly like or unlike those around them, by local Moran's I.

COMMENT ON COLUMN gis.hotspot_run.method IS 'gi_star, local_moran, stp_scan, series or emerging';

CREATE TABLE gis.local_moran (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id              bigint NOT NULL REFERENCES gis.hotspot_run ON DELETE CASCADE,
  cell                bigint NOT NULL,
  geom                geometry(Polygon, 4326) NOT NULL,
  commune             text,
  category            text NOT NULL,  -- high_high, low_low, high_low, low_high: it, then those around it
  count               int NOT NULL,
  expected            double precision NOT NULL,
  neighbours_count    int NOT NULL,   -- of those around it, without the hex itself
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

CREATE VIEW layer.local_moran AS
  SELECT m.id, m.geom, gis.h3_text(m.cell) AS cell, r.layer_id AS of_layer, m.commune, m.category,
         m.count, m.expected, m.neighbours_count, m.neighbours_expected, m.moran, m.p, m.q, m.edge,
         m.explanation_vi, m.explanation_en, r.official, r.simulated, r.run_at,
         r.input_until AS valid_at, r.id AS run, r.valid_from, r.valid_to
  FROM gis.local_moran m JOIN gis.run_in_force r ON r.id = m.run_id
  WHERE gis.is_public(r.layer_id);

CREATE TRIGGER version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.local_moran
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('local_moran');

-- When a layer is closed or opened, these layers change.
CREATE OR REPLACE FUNCTION gis.raise_results() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gis.layer SET version = version + 1, changed_at = now()
    WHERE id IN ('hotspots', 'clusters', 'emerging', 'series', 'local_moran', 'alerts');
  RETURN NULL;
END $$;
