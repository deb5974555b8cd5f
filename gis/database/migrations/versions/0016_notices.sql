-- What is about the whole province concerns every commune, and its outline is told with fewer
-- points: the union of real communes has tens of thousands.

-- Shapes of up to a thousand points as they are; larger ones to about 100 m, at most 500 m.
CREATE FUNCTION gis.shape_as_told(shape geometry) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT ST_AsGeoJSON(ST_Multi(CASE
    WHEN ST_NPoints(shape) <= 1000 THEN shape
    WHEN ST_NPoints(ST_SimplifyPreserveTopology(shape, 0.001)) <= 2000
      THEN ST_SimplifyPreserveTopology(shape, 0.001)
    ELSE ST_SimplifyPreserveTopology(shape, 0.005) END), 6)::jsonb
$$;

CREATE OR REPLACE FUNCTION gis.alert_as_told(wanted bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT to_jsonb(a) - '{geom,centre,told,evidence,records}'::text[] || jsonb_build_object(
    'geometry', gis.shape_as_told(a.geom),
    'places', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                 'code', c.code, 'name', c.full_name, 'name_en', c.name_en) ORDER BY c.code), '[]')
               FROM layer.communes c WHERE c.code = ANY(a.communes)),
    'layer', (SELECT jsonb_build_object('title', l.definition -> 'title',
                                        'read', l.definition #>> '{access,read}',
                                        'alerts', l.definition -> 'alerts')
              FROM gis.layer l WHERE l.id = a.layer_id),
    'run', (SELECT jsonb_build_object('method', r.method, 'version', r.code_version)
            FROM gis.hotspot_run r WHERE r.id = a.run_id),
    'approved', p.alert_id IS NOT NULL,
    'confirmed', coalesce(p.confirmed, false))
  FROM gis.alert a LEFT JOIN gis.approval p ON p.alert_id = a.id WHERE a.id = wanted
$$;

CREATE OR REPLACE FUNCTION gis.is_wanted(told gis.notice, by gis.subscription) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT (told.layer_id = ANY(by.layers)
          OR by.layers = '{}' AND told.alert #>> '{layer,read}' IS DISTINCT FROM 'private')
    AND (by.communes = '{}' OR told.alert -> 'communes' = '[]'
         OR by.communes && ARRAY(SELECT jsonb_array_elements_text(told.alert -> 'communes')))
    AND gis.severity_rank(told.alert ->> 'severity') >= gis.severity_rank(by.least_severity)
    AND (by.simulated OR NOT (told.alert ->> 'simulated')::boolean)
    AND told.alert ->> 'key' IS DISTINCT FROM 'subscription ' || by.id
$$;
