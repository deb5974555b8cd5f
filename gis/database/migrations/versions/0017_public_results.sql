-- What is found in a layer that not all may read is in no public layer: hotspots, clusters, emerging
-- hexes and alerts show those of public layers. Who works with another one asks /alerts and /hexes
-- with a key.
CREATE FUNCTION gis.is_public(layer_id text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce((SELECT l.definition -> 'access' ->> 'read' = 'public'
                    FROM gis.layer l WHERE l.id = is_public.layer_id), false) $$;

CREATE OR REPLACE VIEW gis.run_in_force AS
  SELECT last_of_day.*,
         lead(valid_from) OVER (PARTITION BY layer_id, method ORDER BY valid_from) AS valid_to
  FROM (SELECT DISTINCT ON (layer_id, method, gis.day_of(input_until)) *,
               gis.day_of(input_until) AS valid_from
        FROM gis.hotspot_run
        WHERE gis.is_public(layer_id)
        ORDER BY layer_id, method, gis.day_of(input_until), input_until DESC, id DESC) AS last_of_day;

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
