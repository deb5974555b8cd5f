-- CAP documents are made from notices in their order, and notices say which run found the alert;
-- the end of an alert is sent to those who heard of it, and to nobody else.

-- Up to which notice documents were made; one row.
CREATE TABLE gis.cap_progress (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  seq      bigint NOT NULL
);
INSERT INTO gis.cap_progress (seq) VALUES (0);

CREATE OR REPLACE FUNCTION gis.alert_as_told(wanted bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT to_jsonb(a) - '{geom,centre,told,evidence,records}'::text[] || jsonb_build_object(
    'geometry', ST_AsGeoJSON(a.geom, 6)::jsonb,
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

-- Whether a subscription asked for such an alert. An alert that tells of a subscription that
-- fails (its key) is not sent to that one.
CREATE FUNCTION gis.is_wanted(told gis.notice, by gis.subscription) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT (told.layer_id = ANY(by.layers)
          OR by.layers = '{}' AND told.alert #>> '{layer,read}' IS DISTINCT FROM 'private')
    AND (by.communes = '{}'
         OR by.communes && ARRAY(SELECT jsonb_array_elements_text(told.alert -> 'communes')))
    AND gis.severity_rank(told.alert ->> 'severity') >= gis.severity_rank(by.least_severity)
    AND (by.simulated OR NOT (told.alert ->> 'simulated')::boolean)
    AND told.alert ->> 'key' IS DISTINCT FROM 'subscription ' || by.id
$$;

CREATE OR REPLACE FUNCTION gis.fill_outbox(told gis.notice) RETURNS void LANGUAGE sql AS $$
  INSERT INTO gis.delivery (subscription_id, seq, alert_id)
  SELECT s.id, told.seq, told.alert_id FROM gis.subscription s
  WHERE s.ended_at IS NULL
    AND CASE WHEN told.alert ->> 'status' IN ('resolved', 'expired', 'false')
             THEN EXISTS (SELECT FROM gis.delivery d
                          WHERE d.subscription_id = s.id AND d.alert_id = told.alert_id)
             ELSE gis.is_wanted(told, s) END
$$;
CREATE INDEX delivery_alert ON gis.delivery (alert_id, subscription_id);
