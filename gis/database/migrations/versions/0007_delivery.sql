-- Delivery: each step of an alert is told once, in the order of commits, to all who asked for it.

-- A step as it is told, with the alert as it stood when its transaction committed. `seq` rises in
-- the order of commits: a reader who has seen n has missed nothing below n.
CREATE TABLE gis.notice (
  seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id bigint NOT NULL UNIQUE,       -- of gis.alert_event
  alert_id bigint NOT NULL,
  layer_id text NOT NULL,
  at       timestamptz NOT NULL,
  act      text NOT NULL,
  alert    jsonb NOT NULL
);
CREATE INDEX notice_alert ON gis.notice (alert_id, seq);

-- Who is told, where. Empty layers: all but private ones. Empty communes: all.
CREATE TABLE gis.subscription (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name           text NOT NULL,
  channel        text NOT NULL CHECK (channel IN ('webhook', 'mail')),
  target         text NOT NULL,          -- URL or mail address; shown to operators alone
  language       text NOT NULL CHECK (language IN ('vi', 'en')),
  layers         text[] NOT NULL,
  communes       text[] NOT NULL,
  least_severity text NOT NULL CHECK (least_severity IN ('watch', 'alert', 'urgent')),
  simulated      boolean NOT NULL,       -- whether simulated alerts are sent as well
  created_at     timestamptz NOT NULL DEFAULT now(),
  created_by     text NOT NULL,
  ended_at       timestamptz
);
CREATE UNIQUE INDEX subscription_name ON gis.subscription (name) WHERE ended_at IS NULL;

-- What webhooks are signed with. It is read by the sender alone and never shown again.
CREATE TABLE private.webhook_secret (
  subscription_id bigint PRIMARY KEY REFERENCES gis.subscription ON DELETE CASCADE,
  secret          text NOT NULL
);

-- The outbox: one row a notice and subscription, with the key by which a receiver knows a repeat.
CREATE TABLE gis.delivery (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key             uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  subscription_id bigint NOT NULL REFERENCES gis.subscription,
  seq             bigint NOT NULL REFERENCES gis.notice,
  alert_id        bigint NOT NULL,
  status          text NOT NULL DEFAULT 'waiting'
                  CHECK (status IN ('waiting', 'delivered', 'dead', 'cancelled')),
  attempts        int NOT NULL DEFAULT 0,
  due_at          timestamptz NOT NULL DEFAULT now(),
  error           text NOT NULL DEFAULT '',
  created_at      timestamptz NOT NULL DEFAULT now(),
  ended_at        timestamptz,
  UNIQUE (subscription_id, seq)
);
CREATE INDEX delivery_due ON gis.delivery (due_at, id) WHERE status = 'waiting';
CREATE INDEX delivery_order ON gis.delivery (subscription_id, alert_id, id) WHERE status = 'waiting';

-- The person who made an alert public, and whether they saw with their own eyes that it is true.
CREATE TABLE gis.approval (
  alert_id  bigint PRIMARY KEY REFERENCES gis.alert ON DELETE CASCADE,
  at        timestamptz NOT NULL DEFAULT now(),
  who       text NOT NULL,
  note      text NOT NULL,
  confirmed boolean NOT NULL
);

-- CAP documents as they were published; they are never changed.
CREATE TABLE gis.cap_message (
  identifier text PRIMARY KEY,
  seq        bigint NOT NULL UNIQUE REFERENCES gis.notice,
  alert_id   bigint NOT NULL,
  layer_id   text NOT NULL,
  sender     text NOT NULL,
  sent       timestamptz NOT NULL,
  type       text NOT NULL CHECK (type IN ('Alert', 'Update', 'Cancel')),
  public     boolean NOT NULL,
  document   text NOT NULL
);
CREATE INDEX cap_message_alert ON gis.cap_message (alert_id, seq);

CREATE FUNCTION gis.severity_rank(severity text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT array_position(ARRAY['watch', 'alert', 'urgent'], severity) $$;

-- Steps that people are sent; the others (more evidence of the same, remarks) are seen by those
-- who look.
CREATE FUNCTION gis.is_sent(act text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT act NOT IN ('update', 'comment', 'pending', 'suppressed', 'approve') $$;

CREATE FUNCTION gis.alert_as_told(wanted bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT to_jsonb(a) - 'geom' || jsonb_build_object(
    'geometry', ST_AsGeoJSON(a.geom, 6)::jsonb,
    'places', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                 'code', c.code, 'name', c.full_name, 'name_en', c.name_en) ORDER BY c.code), '[]')
               FROM layer.communes c WHERE c.code = ANY(a.communes)),
    'layer', (SELECT jsonb_build_object('title', l.definition -> 'title',
                                        'read', l.definition #>> '{access,read}',
                                        'alerts', l.definition -> 'alerts')
              FROM gis.layer l WHERE l.id = a.layer_id),
    'approved', p.alert_id IS NOT NULL,
    'confirmed', coalesce(p.confirmed, false))
  FROM gis.alert a LEFT JOIN gis.approval p ON p.alert_id = a.id WHERE a.id = wanted
$$;

CREATE FUNCTION gis.fill_outbox(told gis.notice) RETURNS void LANGUAGE sql AS $$
  INSERT INTO gis.delivery (subscription_id, seq, alert_id)
  SELECT s.id, told.seq, told.alert_id FROM gis.subscription s
  WHERE s.ended_at IS NULL
    AND (told.layer_id = ANY(s.layers)
         OR s.layers = '{}' AND told.alert #>> '{layer,read}' IS DISTINCT FROM 'private')
    AND (s.communes = '{}'
         OR s.communes && ARRAY(SELECT jsonb_array_elements_text(told.alert -> 'communes')))
    AND gis.severity_rank(told.alert ->> 'severity') >= gis.severity_rank(s.least_severity)
    AND (s.simulated OR NOT (told.alert ->> 'simulated')::boolean)
$$;

-- Runs when the transaction commits. The lock, held for that moment, makes `seq` follow the order
-- of commits; it is released when the transaction's rows can be seen.
CREATE FUNCTION gis.tell_step() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE told gis.notice;
BEGIN
  PERFORM pg_advisory_xact_lock(1734963039, 7);
  INSERT INTO gis.notice (event_id, alert_id, layer_id, at, act, alert)
  SELECT NEW.id, NEW.alert_id, a.layer_id, clock_timestamp(), NEW.act, gis.alert_as_told(a.id)
  FROM gis.alert a WHERE a.id = NEW.alert_id RETURNING * INTO told;
  IF told.seq IS NOT NULL AND gis.is_sent(told.act) THEN
    PERFORM gis.fill_outbox(told);
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER tell AFTER INSERT ON gis.alert_event
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gis.tell_step();
