-- From a step of an alert to deliveries.

-- Steps that recipients are notified of; the others (more evidence of the same, remarks) are seen by
-- those who look.
CREATE OR REPLACE FUNCTION gis.is_sent(act text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT act NOT IN ('update', 'comment', 'pending', 'suppressed', 'approve') $$;

-- What people were told before a correction holds no longer: neither what nobody took on, nor who
-- is named later, goes by it.
CREATE OR REPLACE FUNCTION gis.is_corrected(told gis.notice) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM gis.notice later
                 WHERE later.alert_id = told.alert_id AND later.act = 'corrected'
                   AND later.seq > told.seq)
$$;

-- The rank of a step. What nobody took on goes by the tier of which people were notified: evidence
-- that has weakened since then keeps no escalation from those who wait for it.
CREATE OR REPLACE FUNCTION gis.rank_told(told gis.notice) RETURNS int LANGUAGE sql STABLE AS $$
  SELECT greatest(
    gis.severity_rank(told.alert ->> 'severity'),
    CASE WHEN told.act = 'escalate' THEN
      (SELECT max(gis.severity_rank(n.alert ->> 'severity')) FROM gis.notice n
       WHERE n.alert_id = told.alert_id AND n.act IN ('open', 'notify', 'corrected')
         AND NOT gis.is_corrected(n))
    END)
$$;

-- The entries that name a subscription; an empty list: the file does not name it.
CREATE OR REPLACE FUNCTION gis.named_in(told gis.notice, by gis.subscription) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_path_query_array(told.alert, '$.layer.alerts.tell[*] ? (@.who == $name)',
                                jsonb_build_object('name', by.name))
$$;

-- A step is for a subscription that the layer's file names by these entries. The file is read from the
-- event itself, which keeps the options of the layer as they were at the step.
CREATE OR REPLACE FUNCTION gis.is_wanted_by_file(told gis.notice, named jsonb) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM jsonb_array_elements(named) AS one
    WHERE gis.rank_told(told) >= gis.severity_rank(one ->> 'from_tier')
      AND (one ->> 'when' IS NULL OR told.act = 'escalate'))
$$;

-- A step is for a subscription that the layer's file does not name.
CREATE OR REPLACE FUNCTION gis.is_wanted_by_itself(told gis.notice, by gis.subscription)
RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT NOT by.only_named AND (by.layers = '{}' OR told.layer_id = ANY(by.layers))
    AND gis.rank_told(told) >= gis.severity_rank(by.least_severity)
$$;

-- A step is for a subscription. A file decides for the subscriptions that it names, each other one for
-- itself. Alerts of private layers go only where an administrator sent them, who alone may read the
-- layer. An alert of a subscription that fails (its key) is not sent to that one.
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

-- Who heard of an alert hears of its end, that somebody took it on, and that its records were
-- corrected, so that it is less grave than they were told.
CREATE OR REPLACE FUNCTION gis.fill_outbox(told gis.notice) RETURNS void LANGUAGE sql AS $$
  INSERT INTO gis.delivery (subscription_id, seq, alert_id)
  SELECT s.id, told.seq, told.alert_id
  FROM gis.subscription s
  CROSS JOIN LATERAL (SELECT EXISTS (
    SELECT FROM gis.delivery d
    WHERE d.subscription_id = s.id AND d.alert_id = told.alert_id) AS of_it) AS heard
  WHERE s.ended_at IS NULL
    AND CASE WHEN told.alert ->> 'status' IN ('resolved', 'expired', 'false')
               OR told.act = 'corrected' THEN heard.of_it
             ELSE gis.is_wanted(told, s) OR told.act = 'acknowledged' AND heard.of_it END
$$;

-- Runs when the transaction commits. The lock, held for that moment, makes `seq` follow the order
-- of commits; it is released when the transaction's rows can be seen.
CREATE OR REPLACE FUNCTION gis.tell_step() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE told gis.notice;
BEGIN
  PERFORM pg_advisory_xact_lock(1734963039, 7);
  INSERT INTO gis.notice (event_id, alert_id, layer_id, at, act, alert)
  SELECT NEW.id, NEW.alert_id, a.layer_id, clock_timestamp(), NEW.act, gis.alert_as_told(a.id)
  FROM gis.alert a WHERE a.id = NEW.alert_id RETURNING * INTO told;
  IF told.seq IS NOT NULL AND NEW.notify AND gis.is_sent(told.act) THEN
    PERFORM gis.fill_outbox(told);
  END IF;
  RETURN NULL;
END $$;

-- Who is named in a file today, and has heard nothing of an alert that nobody took on, is sent the
-- newest step that is theirs: a name may come later than the alert, as may a subscription of that
-- name. The lock lets no step pass by in between.
CREATE OR REPLACE FUNCTION gis.tell_waiting() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(1734963039, 7);
  INSERT INTO gis.delivery (subscription_id, seq, alert_id)
  SELECT DISTINCT ON (s.id, n.alert_id) s.id, n.seq, n.alert_id
  FROM gis.alert a
  JOIN gis.layer l ON l.id = a.layer_id AND l.published
  JOIN gis.notice n ON n.alert_id = a.id AND n.act IN ('open', 'notify', 'corrected', 'escalate')
    AND NOT gis.is_corrected(n)
  JOIN gis.alert_event e ON e.id = n.event_id AND e.notify
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

-- DROP and CREATE: a constraint trigger cannot be replaced.
DROP TRIGGER IF EXISTS tell ON gis.alert_event;
CREATE CONSTRAINT TRIGGER tell AFTER INSERT ON gis.alert_event
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gis.tell_step();
