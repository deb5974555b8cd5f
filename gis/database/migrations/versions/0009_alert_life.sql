-- The life of alerts: more states, the evidence in columns, silences, and a history that tells
-- each step with the alert as it then was.

ALTER TABLE gis.alert DROP CONSTRAINT alert_status_check;
ALTER TABLE gis.alert ADD CONSTRAINT alert_status_check CHECK (status IN
  ('pending', 'open', 'acknowledged', 'suppressed', 'resolved', 'expired', 'false'));
ALTER TABLE gis.alert
  ADD COLUMN stream          text NOT NULL DEFAULT '',
  ADD COLUMN key             text,             -- what it is about where place does not tell
  ADD COLUMN detail_vi       text NOT NULL DEFAULT '',
  ADD COLUMN detail_en       text NOT NULL DEFAULT '',
  ADD COLUMN observed        double precision NOT NULL DEFAULT 0,
  ADD COLUMN expected        double precision,
  ADD COLUMN llr             double precision,
  ADD COLUMN p               double precision,
  ADD COLUMN recurrence_days double precision,
  ADD COLUMN radius_m        double precision,
  ADD COLUMN centre          geometry(Point, 4326),
  ADD COLUMN since           timestamptz NOT NULL DEFAULT now(),  -- of the records beneath
  ADD COLUMN until           timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN records         bigint[] NOT NULL DEFAULT '{}',      -- ids of the layer's rows beneath
  ADD COLUMN measures        jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN outcome         text CHECK (outcome IN ('true', 'false', 'unknown')),
  ADD COLUMN resumes         text CHECK (resumes IN ('pending', 'open', 'acknowledged')),
  ADD COLUMN told            jsonb,            -- what people were last told, against which news is
  ADD COLUMN weak_days       int NOT NULL DEFAULT 0,
  ADD COLUMN weak_on         date,
  ADD COLUMN seen_at         timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN expires_at      timestamptz NOT NULL DEFAULT now() + interval '14 days',
  ADD COLUMN escalate_at     timestamptz,      -- unless somebody looks after it before
  ALTER COLUMN evidence SET DEFAULT '{}',
  ADD CONSTRAINT alert_resumes CHECK ((status = 'suppressed') = (resumes IS NOT NULL));
UPDATE gis.alert SET since = opened_at, until = updated_at, seen_at = updated_at,
  expires_at = updated_at + interval '14 days', observed = coalesce((evidence->>'records')::float8, 0);
COMMENT ON COLUMN gis.alert.resolved_at IS 'When it ended: resolved, expired or false.';

DROP INDEX gis.alert_live;
CREATE INDEX alert_live ON gis.alert (layer_id, rule, stream)
  WHERE status IN ('pending', 'open', 'acknowledged', 'suppressed');
CREATE INDEX alert_ended ON gis.alert (layer_id, rule, stream, until)
  WHERE status IN ('resolved', 'expired', 'false');

-- The one place where each step is told; `notify` says that people are to hear of it, unless the
-- act is one of which nobody does.
ALTER TABLE gis.alert_event ADD COLUMN notify boolean NOT NULL DEFAULT true;
CREATE INDEX alert_event_of ON gis.alert_event (alert_id, id);

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

-- Who said that which alerts are not to be told of, until when, and why.
CREATE TABLE gis.silence (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id   text,                             -- NULL: of any
  rule       text,
  communes   text[] NOT NULL DEFAULT '{}',     -- empty: anywhere
  who        text NOT NULL,
  why        text NOT NULL CHECK (btrim(why) <> ''),
  created_at timestamptz NOT NULL DEFAULT now(),
  until      timestamptz NOT NULL,
  ended_at   timestamptz,                      -- taken back before its time
  ended_by   text,
  CHECK (layer_id IS NOT NULL OR rule IS NOT NULL OR communes <> '{}')
);

-- The newest look of each day at each stream; its p says whether the detector is calibrated.
CREATE TABLE gis.alert_look (
  layer_id  text NOT NULL,
  rule      text NOT NULL,
  stream    text NOT NULL,
  day       date NOT NULL,                     -- in Vietnam
  until     timestamptz NOT NULL,
  looked_at timestamptz NOT NULL,
  version   bigint,                            -- of the layer that was looked at
  run_id    bigint,
  signals   int NOT NULL,
  p         double precision,
  PRIMARY KEY (layer_id, rule, stream, day)
);

-- What is pending or suppressed is the desk's work, and in no layer.
CREATE OR REPLACE VIEW layer.alerts AS
  SELECT a.id, a.geom, a.layer_id AS of_layer, a.rule, a.status, a.severity, a.headline_vi,
         a.headline_en, array_to_string(a.communes, ' ') AS communes, a.official, a.simulated,
         a.opened_at AS valid_at, a.updated_at, a.acknowledged_at, a.resolved_at,
         a.detail_vi, a.detail_en, a.observed, a.expected, a.p, a.recurrence_days, a.since,
         a.until, a.outcome
  FROM gis.alert a
  WHERE a.status NOT IN ('pending', 'suppressed');
