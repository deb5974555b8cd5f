-- From a step of an alert to an event, and from an event to deliveries.

-- Steps that recipients are notified of; the others (more evidence of the same, remarks) are seen by
-- those who look.
CREATE OR REPLACE FUNCTION gis.is_sent(act text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT act NOT IN ('update', 'comment', 'pending', 'suppressed', 'approve', 'withdrawn') $$;

-- An event is void once the records of its alert were corrected: neither escalations nor subscriptions
-- that come later go by it.
CREATE OR REPLACE FUNCTION gis.is_corrected(event gis.notification) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM gis.notification later
                 WHERE later.alert_id = event.alert_id AND later.act = 'corrected'
                   AND later.seq > event.seq)
$$;

-- The rank of an event's tier. An escalation has the highest tier that people were notified of: evidence
-- that has weakened since then keeps it from nobody who waits for it.
CREATE OR REPLACE FUNCTION gis.event_rank(event gis.notification) RETURNS int LANGUAGE sql STABLE AS $$
  SELECT greatest(
    gis.severity_rank(event.alert ->> 'severity'),
    CASE WHEN event.act = 'escalate' THEN
      (SELECT max(gis.severity_rank(n.alert ->> 'severity')) FROM gis.notification n
       WHERE n.alert_id = event.alert_id AND n.act IN ('open', 'notify', 'corrected')
         AND NOT gis.is_corrected(n))
    END)
$$;

-- A shift of the roster is of the person to whom a subscription in force belongs.
CREATE OR REPLACE FUNCTION gis.is_person(subscription gis.subscription, shift gis.duty)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT subscription.on_duty AND subscription.ended_at IS NULL
    AND shift.who = coalesce(nullif(subscription.person, ''), subscription.name)
    AND (shift.channel = '' OR shift.channel = subscription.channel)
$$;

-- The person of a subscription is on duty now for an alert. gis.notify.roster.shifts says the same of
-- the hours to come.
CREATE OR REPLACE FUNCTION gis.is_on_duty(event gis.notification, subscription gis.subscription)
RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM gis.duty d
    WHERE d.replaced_by IS NULL AND d.since <= now() AND d.until > now() AND gis.is_person(subscription, d)
      AND (d.layers = '{}' OR event.layer_id = ANY(d.layers))
      AND (d.categories = '{}' OR event.alert ->> 'stream' = ANY(d.categories))
      AND (d.communes = '{}' OR event.alert -> 'communes' = '[]'
           OR d.communes && ARRAY(SELECT jsonb_array_elements_text(event.alert -> 'communes'))))
$$;

-- The entries of a layer file that name a subscription, or as `on-duty` all that follow the roster; an
-- empty list: there is none. The file is read from the event itself, which has the options of the layer
-- as they were at the step.
CREATE OR REPLACE FUNCTION gis.recipient_entries(event gis.notification, subscription gis.subscription)
RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_path_query_array(
    event.alert,
    '$.layer.alerts.recipients[*] ? (@.who == $name || (@.who == "on-duty" && $on_duty == true))',
    jsonb_build_object('name', subscription.name, 'on_duty', subscription.on_duty))
$$;

-- An event is for a subscription that the layer file names in these entries.
CREATE OR REPLACE FUNCTION gis.matches_entries(event gis.notification, entries jsonb) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM jsonb_array_elements(entries) AS entry
    WHERE gis.event_rank(event) >= gis.severity_rank(entry ->> 'from_tier')
      AND (entry ->> 'when' IS NULL OR event.act = 'escalate'))
$$;

-- An event is for a subscription that the layer file does not name.
CREATE OR REPLACE FUNCTION gis.matches_subscription(event gis.notification, subscription gis.subscription)
RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT NOT subscription.only_named
    AND (subscription.layers = '{}' OR event.layer_id = ANY(subscription.layers))
    AND gis.event_rank(event) >= gis.severity_rank(subscription.least_severity)
$$;

-- An event is for a subscription, apart from the roster. A layer file decides for the subscriptions that it names, each other
-- one for itself. Alerts of private layers go only where an administrator sent them, who alone may read
-- the layer. An alert of a subscription that fails (its key) is not sent to that one.
CREATE OR REPLACE FUNCTION gis.is_recipient(event gis.notification, subscription gis.subscription)
RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE gis.recipient_entries(event, subscription)
         WHEN '[]' THEN gis.matches_subscription(event, subscription)
         ELSE gis.matches_entries(event, gis.recipient_entries(event, subscription)) END
    AND (subscription.by_admin AND event.layer_id = ANY(subscription.layers)
         OR event.alert #>> '{layer,read}' IS DISTINCT FROM 'private')
    AND (subscription.communes = '{}' OR event.alert -> 'communes' = '[]'
         OR subscription.communes
            && ARRAY(SELECT jsonb_array_elements_text(event.alert -> 'communes')))
    AND (subscription.simulated OR NOT (event.alert ->> 'simulated')::boolean)
    AND event.alert ->> 'key' IS DISTINCT FROM 'subscription ' || subscription.id
$$;

-- The end of a subscription's quiet hours in which a moment lies; null outside of them.
CREATE OR REPLACE FUNCTION gis.quiet_until(subscription gis.subscription, moment timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
  SELECT (local.day + subscription.quiet_to
          + CASE WHEN local.clock < subscription.quiet_to THEN interval '0' ELSE interval '1 day' END)
         AT TIME ZONE interval '7 hours'
  FROM (SELECT (moment AT TIME ZONE interval '7 hours')::date AS day,
               (moment AT TIME ZONE interval '7 hours')::time AS clock) AS local
  WHERE CASE WHEN subscription.quiet_from < subscription.quiet_to
             THEN local.clock >= subscription.quiet_from AND local.clock < subscription.quiet_to
             ELSE local.clock >= subscription.quiet_from OR local.clock < subscription.quiet_to END
$$;

-- When an event is to be sent to a subscription: at once; or with its next digest; or after its quiet hours.
-- What is urgent waits for neither.
CREATE OR REPLACE FUNCTION gis.send_at(event gis.notification, subscription gis.subscription)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN gis.event_rank(event) >= gis.severity_rank('urgent') THEN now()
              ELSE greatest(
                now(), gis.quiet_until(subscription, now()),
                CASE WHEN subscription.digest_minutes > 0 THEN
                  to_timestamp(ceil(extract(epoch FROM now()) / (60 * subscription.digest_minutes))
                               * 60 * subscription.digest_minutes) END) END
$$;

-- An event of an alert within a situation of its own layer goes to nobody who is notified of the
-- situation: that tells of it. Whoever is not, since the situation is not for them, hears of the alert.
-- Ends and corrections are for those who were notified of the alert itself.
CREATE OR REPLACE FUNCTION gis.is_told_by_situation(event gis.notification, subscription_id bigint)
RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM gis.alert situation JOIN gis.delivery d ON d.alert_id = situation.id
    WHERE situation.id = (event.alert ->> 'within_id')::bigint
      AND situation.layer_id = event.layer_id AND situation.status IN ('open', 'acknowledged')
      AND d.subscription_id = is_told_by_situation.subscription_id)
$$;

-- Recipients of an alert are also notified of its end, that somebody acknowledged it, and that its
-- records were corrected, so that it is less grave than its former notifications say.
CREATE OR REPLACE FUNCTION gis.fill_outbox(event gis.notification) RETURNS void LANGUAGE sql AS $$
  -- What waits for a digest or the end of quiet hours goes with what is urgent: steps keep their order.
  UPDATE gis.delivery d SET due_at = now()
  FROM gis.subscription s
  WHERE s.id = d.subscription_id AND d.alert_id = event.alert_id
    AND d.status = 'waiting' AND d.attempts = 0 AND d.due_at > now()
    AND gis.event_rank(event) >= gis.severity_rank('urgent');
  INSERT INTO gis.delivery (subscription_id, seq, alert_id, due_at)
  SELECT s.id, event.seq, event.alert_id, gis.send_at(event, s)
  FROM gis.subscription s
  CROSS JOIN LATERAL (SELECT EXISTS (
    SELECT FROM gis.delivery d
    WHERE d.subscription_id = s.id AND d.alert_id = event.alert_id) AS of_alert) AS notified
  WHERE s.ended_at IS NULL
    AND (NOT s.on_duty OR gis.is_on_duty(event, s))
    AND CASE WHEN event.alert ->> 'status' IN ('resolved', 'expired', 'false')
               OR event.act = 'corrected' THEN notified.of_alert
             ELSE (gis.is_recipient(event, s)
                   OR event.act = 'acknowledged' AND notified.of_alert)
               AND NOT gis.is_told_by_situation(event, s.id) END
$$;

-- Runs when the transaction commits. The lock, held for that moment, makes `seq` follow the order
-- of commits; it is released when the transaction's rows can be seen.
CREATE OR REPLACE FUNCTION gis.add_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE event gis.notification;
BEGIN
  PERFORM pg_advisory_xact_lock(1734963039, 7);
  INSERT INTO gis.notification (event_id, alert_id, layer_id, at, act, alert)
  SELECT NEW.id, NEW.alert_id, a.layer_id, clock_timestamp(), NEW.act, gis.alert_payload(a.id)
  FROM gis.alert a WHERE a.id = NEW.alert_id RETURNING * INTO event;
  IF event.seq IS NOT NULL AND NEW.notify AND gis.is_sent(event.act) THEN
    PERFORM gis.fill_outbox(event);
  END IF;
  RETURN NULL;
END $$;

-- A subscription that a file names today, or whose person is on duty by now, and that was not notified of
-- an alert which nobody has acknowledged, is sent the newest event that is for it: the name may come later
-- than the alert, as may a subscription of that name, or a shift. The lock lets no event pass by in between.
CREATE OR REPLACE FUNCTION gis.notify_late_recipients() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(1734963039, 7);
  INSERT INTO gis.delivery (subscription_id, seq, alert_id, due_at)
  SELECT DISTINCT ON (s.id, n.alert_id) s.id, n.seq, n.alert_id, gis.send_at(today, s)
  FROM gis.alert a
  JOIN gis.layer l ON l.id = a.layer_id AND l.published
  JOIN gis.notification n ON n.alert_id = a.id AND n.act IN ('open', 'notify', 'corrected', 'escalate')
    AND NOT gis.is_corrected(n)
  JOIN gis.alert_event e ON e.id = n.event_id AND e.notify
  CROSS JOIN LATERAL jsonb_populate_record(n, jsonb_build_object('alert', n.alert ||
    jsonb_build_object('within_id', a.within_id,
                       'layer', jsonb_build_object('read', l.definition #>> '{access,read}',
                                                   'alerts', l.definition -> 'alerts')))) AS today
  JOIN gis.subscription s ON s.ended_at IS NULL
    AND (gis.recipient_entries(today, s) <> '[]' OR s.on_duty)
    AND (NOT s.on_duty OR gis.is_on_duty(today, s)) AND gis.is_recipient(today, s)
  WHERE a.status = 'open' AND NOT gis.is_told_by_situation(today, s.id)
    AND NOT EXISTS (SELECT FROM gis.delivery d
                    WHERE d.subscription_id = s.id AND d.alert_id = a.id)
  ORDER BY s.id, n.alert_id, n.seq DESC;
END $$;

-- Approve what the setting makes public at once: open alerts of official boundaries and public layers,
-- never those for operators alone, and none that a person took back. Gives those that are new.
CREATE OR REPLACE FUNCTION gis.approve_at_once(alert_id bigint DEFAULT NULL) RETURNS SETOF bigint
LANGUAGE sql AS $$
  INSERT INTO gis.approval (alert_id, who, note, confirmed)
  SELECT a.id, 'service', '', false FROM gis.alert a CROSS JOIN gis.publication setting
  WHERE (approve_at_once.alert_id IS NULL OR a.id = approve_at_once.alert_id)
    AND a.status IN ('open', 'acknowledged') AND NOT gis.is_internal(a.rule)
    -- A simulated one says what it is, whatever its boundaries: else a first look would show none.
    AND (a.official OR a.simulated AND setting.publish = 'all')
    AND (setting.publish = 'all' OR setting.publish = 'urgent' AND a.severity = 'urgent')
    AND gis.is_public(a.layer_id)
  ON CONFLICT DO NOTHING RETURNING approval.alert_id
$$;

-- The event is made when the transaction commits, and so knows of the approval.
CREATE OR REPLACE FUNCTION gis.approve_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM gis.approve_at_once(NEW.alert_id);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER approval AFTER INSERT ON gis.alert_event FOR EACH ROW
  WHEN (NEW.act IN ('open', 'notify', 'update', 'corrected')) EXECUTE FUNCTION gis.approve_of_event();

-- DROP and CREATE: a constraint trigger cannot be replaced.
DROP TRIGGER IF EXISTS event ON gis.alert_event;
CREATE CONSTRAINT TRIGGER event AFTER INSERT ON gis.alert_event
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gis.add_event();
