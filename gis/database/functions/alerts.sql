-- The payload of an alert: what recipients are sent.

-- The shape of an alert as GeoJSON, exteriors counter-clockwise, with fewer points than it has, since the
-- union of real communes has tens of thousands: up to a thousand points as they are; larger shapes to
-- about 100 m, at most 500 m.
CREATE OR REPLACE FUNCTION gis.payload_shape(shape geometry) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT ST_AsGeoJSON(ST_ForcePolygonCCW(ST_Multi(CASE
    WHEN ST_NPoints(shape) <= 1000 THEN shape
    WHEN ST_NPoints(ST_SimplifyPreserveTopology(shape, 0.001)) <= 2000
      THEN ST_SimplifyPreserveTopology(shape, 0.001)
    ELSE ST_SimplifyPreserveTopology(shape, 0.005) END)), 6)::jsonb
$$;

-- The subject of an alert, for receivers that show no more than that: the title of its rule, else the
-- name of its stream, else the title of its layer, which says whose records they are.
CREATE OR REPLACE FUNCTION gis.subject_of(alert gis.alert, definition jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(
    CASE alert.rule
      WHEN 'situation' THEN '{"vi": "Tình huống khẩn cấp", "en": "Emergency situation"}'::jsonb
      WHEN 'joint'
        THEN '{"vi": "Tình huống nhiều lĩnh vực", "en": "Situation of several subjects"}'::jsonb END,
    (SELECT rule -> 'title' FROM jsonb_array_elements(definition #> '{alerts,rules}') AS rule
     WHERE rule ->> 'id' = alert.rule),
    definition #> ARRAY['fields', definition #>> '{hotspots,category}', 'values', alert.stream],
    definition -> 'title')
$$;

-- The communes of an alert as they are called today, or were when it ended; also those that have no
-- polygon yet.
CREATE OR REPLACE FUNCTION gis.alert_communes(alert gis.alert) RETURNS SETOF gis.admin_unit
LANGUAGE sql STABLE AS $$
  SELECT u.* FROM gis.admin_unit u
  WHERE u.level = 'commune' AND u.code = ANY(alert.communes)
    AND (u.valid_from IS NULL OR u.valid_from <= gis.day_of(coalesce(alert.resolved_at, now())))
    AND (u.valid_to IS NULL OR u.valid_to > gis.day_of(coalesce(alert.resolved_at, now())))
  ORDER BY u.code
$$;

-- The payload of an alert. The province's code places an alert of the whole province. An alert that was
-- made public is public no more once its layer is closed.
CREATE OR REPLACE FUNCTION gis.alert_payload(alert_id bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT to_jsonb(a) - '{geom,centre,last_notification,evidence,records}'::text[] || jsonb_build_object(
    'geometry', gis.payload_shape(a.geom),
    'places', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                 'code', c.code, 'name', c.full_name, 'name_en', c.name_en) ORDER BY c.code), '[]')
               FROM gis.alert_communes(a) c),
    'province', (SELECT u.code FROM gis.admin_unit u
                 WHERE u.level = 'province' AND u.valid_to IS NULL ORDER BY u.code LIMIT 1),
    'layer', (SELECT jsonb_build_object('title', l.definition -> 'title',
                                        'subject', gis.subject_of(a, l.definition),
                                        'read', l.definition #>> '{access,read}',
                                        'alerts', l.definition -> 'alerts')
              FROM gis.layer l WHERE l.id = a.layer_id),
    'run', (SELECT jsonb_build_object('method', r.method, 'version', r.code_version)
            FROM gis.hotspot_run r WHERE r.id = a.run_id),
    'approved', p.alert_id IS NOT NULL AND gis.is_public(a.layer_id) AND NOT gis.is_internal(a.rule),
    'confirmed', coalesce(p.confirmed, false))
  FROM gis.alert a LEFT JOIN gis.approval p ON p.alert_id = a.id AND p.withdrawn_at IS NULL
  WHERE a.id = alert_payload.alert_id
$$;
