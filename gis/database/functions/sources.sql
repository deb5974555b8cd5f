-- Sources that the service reads by itself.

-- State of a source: what it waits for goes before how it is.
CREATE OR REPLACE FUNCTION gis.source_state(s gis.source) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN s.paused_at IS NOT NULL THEN 'paused'
    WHEN s.question IS NOT NULL THEN 'asking'
    WHEN s.missed_since IS NOT NULL THEN 'late'
    WHEN s.failures > 0 THEN 'failing'
    WHEN s.last_success IS NULL THEN 'new'
    ELSE 'fresh' END
$$;

-- Public layers that are read by the service, each with how fresh it is; for the layer `sources`.
CREATE OR REPLACE VIEW layer.sources WITH (security_barrier = true) AS
  SELECT s.id, s.layer_id AS of_layer,
         l.definition #>> '{title,vi}' AS title_vi, l.definition #>> '{title,en}' AS title_en,
         l.definition #>> '{department,vi}' AS department_vi,
         l.definition #>> '{department,en}' AS department_en,
         s.connector, gis.source_state(s) AS state, s.simulated,
         l.definition #>> '{source,schedule}' AS schedule,
         s.last_success, s.last_change, s.newest, s.fresh_until
  FROM gis.source s JOIN gis.layer l ON l.id = s.layer_id
  WHERE s.active AND l.published AND gis.is_public(s.layer_id);

CREATE OR REPLACE TRIGGER version_of_new
  AFTER INSERT OR UPDATE OF active, last_success, last_change, newest, fresh_until, missed_since,
    failures, question, paused_at, connector, simulated ON gis.source
  FOR EACH ROW WHEN (gis.is_public(new.layer_id))
  EXECUTE FUNCTION gis.raise_layer_version('sources');
CREATE OR REPLACE TRIGGER version_of_gone AFTER DELETE ON gis.source
  FOR EACH ROW WHEN (gis.is_public(old.layer_id))
  EXECUTE FUNCTION gis.raise_layer_version('sources');
