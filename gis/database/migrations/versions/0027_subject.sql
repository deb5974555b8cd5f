-- What an alert is about, for receivers that show no more than that: the title of its rule, else the
-- name of its stream; the title of the layer says whose records they are. And the province's code,
-- by which an alert of the whole province is placed. An alert that was made public is public no more
-- once its layer is closed.

CREATE FUNCTION gis.subject_of(wanted gis.alert, definition jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(
    (SELECT rule -> 'title' FROM jsonb_array_elements(definition #> '{alerts,rules}') AS rule
     WHERE rule ->> 'id' = wanted.rule),
    definition #> ARRAY['fields', definition #>> '{hotspots,category}', 'values', wanted.stream],
    definition -> 'title')
$$;

CREATE OR REPLACE FUNCTION gis.alert_as_told(wanted bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT to_jsonb(a) - '{geom,centre,told,evidence,records}'::text[] || jsonb_build_object(
    'geometry', gis.shape_as_told(a.geom),
    'places', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                 'code', c.code, 'name', c.full_name, 'name_en', c.name_en) ORDER BY c.code), '[]')
               FROM layer.communes c WHERE c.code = ANY(a.communes)),
    'province', (SELECT u.code FROM gis.admin_unit u
                 WHERE u.level = 'province' AND u.valid_to IS NULL ORDER BY u.code LIMIT 1),
    'layer', (SELECT jsonb_build_object('title', l.definition -> 'title',
                                        'subject', gis.subject_of(a, l.definition),
                                        'read', l.definition #>> '{access,read}',
                                        'alerts', l.definition -> 'alerts')
              FROM gis.layer l WHERE l.id = a.layer_id),
    'run', (SELECT jsonb_build_object('method', r.method, 'version', r.code_version)
            FROM gis.hotspot_run r WHERE r.id = a.run_id),
    'approved', p.alert_id IS NOT NULL AND gis.is_public(a.layer_id),
    'confirmed', coalesce(p.confirmed, false))
  FROM gis.alert a LEFT JOIN gis.approval p ON p.alert_id = a.id WHERE a.id = wanted
$$;
