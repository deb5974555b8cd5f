-- What is found in a layer that not all may read is in no public layer: hotspots, clusters, emerging
-- hexes and alerts show those of public layers. Who works with another one asks /alerts and /hexes
-- with a key.
CREATE FUNCTION gis.is_public(layer_id text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce((SELECT l.definition -> 'access' ->> 'read' = 'public'
                    FROM gis.layer l WHERE l.id = is_public.layer_id), false) $$;

CREATE OR REPLACE VIEW layer.hotspots AS
  SELECT h.id, h.geom, gis.h3_text(h.cell) AS cell, r.layer_id AS of_layer, h.commune, h.count,
         h.neighbours_count, h.expected, h.z, h.p, h.q, h.edge, h.explanation_vi, h.explanation_en,
         r.official, r.simulated, r.method, r.run_at, r.input_until AS valid_at, r.id AS run,
         r.valid_from, r.valid_to
  FROM gis.hotspot h JOIN gis.run_in_force r ON r.id = h.run_id
  WHERE gis.is_public(r.layer_id);

CREATE OR REPLACE VIEW layer.clusters AS
  SELECT c.id, c.geom, r.layer_id AS of_layer, c.stream, c.tier, c.observed, c.expected, c.days,
         c.radius_m, c.llr, c.p, c.recurrence_days, array_to_string(c.communes, ' ') AS communes,
         c.explanation_vi, c.explanation_en, c.since, c.until, r.official, r.simulated, r.method,
         r.run_at, r.input_until AS valid_at, r.id AS run, r.valid_from, r.valid_to
  FROM gis.scan_cluster c JOIN gis.run_in_force r ON r.id = c.run_id
  WHERE c.tier IS NOT NULL AND gis.is_public(r.layer_id);

CREATE OR REPLACE VIEW layer.emerging AS
  SELECT e.id, e.geom, gis.h3_text(e.cell) AS cell, r.layer_id AS of_layer, e.commune, e.category,
         e.count, e.steps, e.hot_steps, e.cold_steps, e.last_run, e.z, e.trend_p, e.trend,
         e.explanation_vi, e.explanation_en, r.official, r.simulated, r.run_at,
         r.input_until AS valid_at, r.id AS run, r.valid_from, r.valid_to
  FROM gis.emerging e JOIN gis.run_in_force r ON r.id = e.run_id
  WHERE gis.is_public(r.layer_id);

CREATE OR REPLACE VIEW layer.alerts AS
  SELECT a.id, a.geom, a.layer_id AS of_layer, a.rule, a.status, a.severity, a.headline_vi,
         a.headline_en, array_to_string(a.communes, ' ') AS communes, a.official, a.simulated,
         a.opened_at AS valid_at, a.updated_at, a.acknowledged_at, a.resolved_at,
         a.detail_vi, a.detail_en, a.observed, a.expected, a.p, a.recurrence_days, a.since,
         a.until, a.outcome
  FROM gis.alert a
  WHERE a.status NOT IN ('pending', 'suppressed') AND gis.is_public(a.layer_id);

-- When a layer is closed or opened, these layers change.
CREATE FUNCTION gis.raise_results() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gis.layer SET version = version + 1, changed_at = now()
    WHERE id IN ('hotspots', 'clusters', 'emerging', 'alerts');
  RETURN NULL;
END $$;
CREATE TRIGGER results_of_access AFTER UPDATE OF definition ON gis.layer FOR EACH ROW
  WHEN (old.definition -> 'access' IS DISTINCT FROM new.definition -> 'access')
  EXECUTE FUNCTION gis.raise_results();
