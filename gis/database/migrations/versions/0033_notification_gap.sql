-- Within some minutes a subscription is sent one notification of an alert; what comes meanwhile waits
-- and is sent as one, the newest, in place of those before it: these are superseded.
ALTER TABLE gis.delivery DROP CONSTRAINT delivery_status_check;
ALTER TABLE gis.delivery ADD CONSTRAINT delivery_status_check
  CHECK (status IN ('waiting', 'delivered', 'dead', 'cancelled', 'superseded'));

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

-- What people were told before a correction holds no longer: neither what nobody took on, nor who
-- is named later, goes by it.
CREATE FUNCTION gis.is_corrected(told gis.notice) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM gis.notice later
                 WHERE later.alert_id = told.alert_id AND later.act = 'corrected'
                   AND later.seq > told.seq)
$$;

CREATE OR REPLACE FUNCTION gis.rank_told(told gis.notice) RETURNS int LANGUAGE sql STABLE AS $$
  SELECT greatest(
    gis.severity_rank(told.alert ->> 'severity'),
    CASE WHEN told.act = 'escalate' THEN
      (SELECT max(gis.severity_rank(n.alert ->> 'severity')) FROM gis.notice n
       WHERE n.alert_id = told.alert_id AND n.act IN ('open', 'notify', 'corrected')
         AND NOT gis.is_corrected(n))
    END)
$$;

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
