-- A layer's file says who is told of its alerts (`alerts: tell`), by the names of subscriptions. It
-- is read from the notice itself, which keeps the options of the layer as they were at the step.

-- Whether a subscription hears of layers whose files do not name it.
ALTER TABLE gis.subscription ADD only_named boolean NOT NULL DEFAULT false;

-- The entries that name a subscription; an empty list: the file does not name it.
CREATE FUNCTION gis.named_in(told gis.notice, by gis.subscription) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_path_query_array(told.alert, '$.layer.alerts.tell[*] ? (@.who == $name)',
                                jsonb_build_object('name', by.name))
$$;

CREATE FUNCTION gis.is_wanted_by_file(told gis.notice, named jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT EXISTS (
    SELECT FROM jsonb_array_elements(named) AS one
    WHERE gis.severity_rank(told.alert ->> 'severity') >= gis.severity_rank(one ->> 'from_tier')
      AND (one ->> 'when' IS NULL OR told.act = 'escalate'))
$$;

CREATE FUNCTION gis.is_wanted_by_itself(told gis.notice, by gis.subscription) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT NOT by.only_named AND (by.layers = '{}' OR told.layer_id = ANY(by.layers))
    AND gis.severity_rank(told.alert ->> 'severity') >= gis.severity_rank(by.least_severity)
$$;

-- A file decides for the subscriptions that it names, each other one for itself. Alerts of private
-- layers go only where somebody who may read the layer sent them: to those that name it themselves.
CREATE OR REPLACE FUNCTION gis.is_wanted(told gis.notice, by gis.subscription) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE gis.named_in(told, by) WHEN '[]' THEN gis.is_wanted_by_itself(told, by)
         ELSE gis.is_wanted_by_file(told, gis.named_in(told, by)) END
    AND (told.layer_id = ANY(by.layers) OR told.alert #>> '{layer,read}' IS DISTINCT FROM 'private')
    AND (by.communes = '{}' OR told.alert -> 'communes' = '[]'
         OR by.communes && ARRAY(SELECT jsonb_array_elements_text(told.alert -> 'communes')))
    AND (by.simulated OR NOT (told.alert ->> 'simulated')::boolean)
    AND told.alert ->> 'key' IS DISTINCT FROM 'subscription ' || by.id
$$;

-- Who heard of an alert hears of its end, and that somebody took it on.
CREATE OR REPLACE FUNCTION gis.fill_outbox(told gis.notice) RETURNS void LANGUAGE sql AS $$
  INSERT INTO gis.delivery (subscription_id, seq, alert_id)
  SELECT s.id, told.seq, told.alert_id
  FROM gis.subscription s
  CROSS JOIN LATERAL (SELECT EXISTS (
    SELECT FROM gis.delivery d
    WHERE d.subscription_id = s.id AND d.alert_id = told.alert_id) AS of_it) AS heard
  WHERE s.ended_at IS NULL
    AND CASE WHEN told.alert ->> 'status' IN ('resolved', 'expired', 'false') THEN heard.of_it
             ELSE gis.is_wanted(told, s) OR told.act = 'acknowledged' AND heard.of_it END
$$;

-- Who is named in a file today, and has heard nothing of an alert that nobody took on, is sent the
-- newest step that is theirs: a name may come later than the alert, as may a subscription of that
-- name. The lock lets no step pass by in between.
CREATE FUNCTION gis.tell_waiting() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(1734963039, 7);
  INSERT INTO gis.delivery (subscription_id, seq, alert_id)
  SELECT DISTINCT ON (s.id, n.alert_id) s.id, n.seq, n.alert_id
  FROM gis.alert a
  JOIN gis.layer l ON l.id = a.layer_id AND l.published
  JOIN gis.notice n ON n.alert_id = a.id AND n.act IN ('open', 'notify', 'escalate')
  CROSS JOIN LATERAL jsonb_populate_record(n, jsonb_build_object('alert', n.alert ||
    jsonb_build_object('layer', jsonb_build_object('read', l.definition #>> '{access,read}',
                                                   'alerts', l.definition -> 'alerts')))) AS today
  JOIN gis.subscription s ON s.ended_at IS NULL AND gis.named_in(today, s) <> '[]'
    AND gis.is_wanted(today, s)
  WHERE a.status = 'open'
    AND NOT EXISTS (SELECT FROM gis.delivery d
                    WHERE d.subscription_id = s.id AND d.alert_id = a.id)
  ORDER BY s.id, n.alert_id, n.seq DESC;
END $$;
