-- A layer that not all may read has hotspots and alerts too. Its rows are in no public layer
-- (gis.is_public, 0017); here is closed what would still tell of them.

-- A filter of a reader is asked about no row that he does not see: an error that it makes of one
-- (a root of a negative number, say) would tell that the row is there.
ALTER VIEW layer.hotspots SET (security_barrier = true);
ALTER VIEW layer.clusters SET (security_barrier = true);
ALTER VIEW layer.emerging SET (security_barrier = true);
ALTER VIEW layer.series SET (security_barrier = true);
ALTER VIEW layer.local_moran SET (security_barrier = true);
-- Alerts are many: asked once a layer, not once an alert.
CREATE OR REPLACE VIEW layer.alerts WITH (security_barrier = true) AS
  SELECT a.id, a.geom, a.layer_id AS of_layer, a.rule, a.status, a.severity, a.headline_vi,
         a.headline_en, array_to_string(a.communes, ' ') AS communes, a.official, a.simulated,
         a.opened_at AS valid_at, a.updated_at, a.acknowledged_at, a.resolved_at,
         a.detail_vi, a.detail_en, a.observed, a.expected, a.p, a.recurrence_days, a.since,
         a.until, a.outcome
  FROM gis.alert a
  WHERE a.status NOT IN ('pending', 'suppressed')
    AND a.layer_id IN (SELECT l.id FROM gis.layer l WHERE gis.is_public(l.id));

-- Versions are public: they rise when something changes that all may see, and so tell nobody when
-- something happened in another layer. A run raises the version of the layer of its results, also
-- when it found nothing, since the run before is no more the newest.
CREATE FUNCTION gis.raise_results_of_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  run gis.hotspot_run := coalesce(new, old);
BEGIN
  IF gis.is_public(run.layer_id) THEN
    UPDATE gis.layer SET version = version + 1, changed_at = now()
      WHERE id = CASE run.method WHEN 'gi_star' THEN 'hotspots' WHEN 'stp_scan' THEN 'clusters'
                                 ELSE run.method END;
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER version ON gis.hotspot;
DROP TRIGGER version ON gis.scan_cluster;
DROP TRIGGER version ON gis.emerging;
DROP TRIGGER version ON gis.series_result;
DROP TRIGGER version ON gis.local_moran;
CREATE TRIGGER version AFTER INSERT OR DELETE ON gis.hotspot_run
  FOR EACH ROW EXECUTE FUNCTION gis.raise_results_of_run();

DROP TRIGGER version ON gis.alert;
CREATE TRIGGER version_of_new AFTER INSERT OR UPDATE ON gis.alert
  FOR EACH ROW WHEN (gis.is_public(new.layer_id)) EXECUTE FUNCTION gis.raise_layer_version('alerts');
CREATE TRIGGER version_of_gone AFTER DELETE ON gis.alert
  FOR EACH ROW WHEN (gis.is_public(old.layer_id)) EXECUTE FUNCTION gis.raise_layer_version('alerts');

-- Archives are files of one moment: those from before a layer was closed may hold what was found in
-- it, and are not handed out any more.
ALTER TABLE gis.layer ADD archives_from bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN gis.layer.archives_from IS 'the least version of which an archive is handed out';

-- When a layer is closed or opened, these layers change.
CREATE OR REPLACE FUNCTION gis.raise_results() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gis.layer SET version = version + 1, changed_at = now(),
      archives_from = CASE WHEN gis.is_public(new.id) THEN archives_from ELSE version + 1 END
    WHERE id IN ('hotspots', 'clusters', 'emerging', 'series', 'local_moran', 'alerts');
  RETURN NULL;
END $$;

-- Alerts of private layers go only where an administrator sent them, who alone may read the layer:
-- that an operator named it while he could read it is not enough.
ALTER TABLE gis.subscription ADD by_admin boolean NOT NULL DEFAULT false;
UPDATE gis.subscription s SET by_admin = true
WHERE EXISTS (SELECT FROM gis.layer l
              WHERE l.id = ANY(s.layers) AND l.definition #>> '{access,read}' = 'private');

CREATE OR REPLACE FUNCTION gis.is_wanted(told gis.notice, by gis.subscription) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT CASE gis.named_in(told, by) WHEN '[]' THEN gis.is_wanted_by_itself(told, by)
         ELSE gis.is_wanted_by_file(told, gis.named_in(told, by)) END
    AND (by.by_admin AND told.layer_id = ANY(by.layers)
         OR told.alert #>> '{layer,read}' IS DISTINCT FROM 'private')
    AND (by.communes = '{}' OR told.alert -> 'communes' = '[]'
         OR by.communes && ARRAY(SELECT jsonb_array_elements_text(told.alert -> 'communes')))
    AND (by.simulated OR NOT (told.alert ->> 'simulated')::boolean)
    AND told.alert ->> 'key' IS DISTINCT FROM 'subscription ' || by.id
$$;
