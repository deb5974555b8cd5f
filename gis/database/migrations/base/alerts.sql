-- Alerts, their history, silences, and the evaluations that raise them.

CREATE TABLE gis.alert (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id        text NOT NULL,
  rule            text NOT NULL,
  status          text NOT NULL DEFAULT 'open' CHECK (status IN
    ('pending', 'open', 'acknowledged', 'suppressed', 'resolved', 'expired', 'false')),
  severity        text NOT NULL CHECK (severity IN ('watch', 'alert', 'urgent')),
  headline_vi     text NOT NULL,
  headline_en     text NOT NULL,
  cells           bigint[] NOT NULL,
  communes        text[] NOT NULL,
  geom            geometry(MultiPolygon, 4326) NOT NULL,
  official        boolean NOT NULL,      -- false: raised on approximate boundaries
  simulated       boolean NOT NULL,
  evidence        jsonb NOT NULL DEFAULT '{}',
  run_id          bigint REFERENCES gis.hotspot_run,
  opened_at       timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  acknowledged_at timestamptz,
  resolved_at     timestamptz,
  stream          text NOT NULL DEFAULT '',
  key             text,                  -- its subject where place does not tell
  detail_vi       text NOT NULL DEFAULT '',
  detail_en       text NOT NULL DEFAULT '',
  observed        double precision NOT NULL DEFAULT 0,
  expected        double precision,
  llr             double precision,
  p               double precision,
  recurrence_days double precision,
  radius_m        double precision,
  centre          geometry(Point, 4326),
  since           timestamptz NOT NULL DEFAULT now(),  -- of the source records
  until           timestamptz NOT NULL DEFAULT now(),
  records         bigint[] NOT NULL DEFAULT '{}',      -- ids of the layer's rows that are the evidence
  measures        jsonb NOT NULL DEFAULT '{}',
  outcome         text CHECK (outcome IN ('true', 'false', 'unknown')),
  resumes         text CHECK (resumes IN ('pending', 'open', 'acknowledged')),
  told            jsonb,                 -- state at the last notification, against which news is judged
  weak_days       int NOT NULL DEFAULT 0,
  weak_on         date,
  seen_at         timestamptz NOT NULL DEFAULT now(),
  expires_at      timestamptz NOT NULL DEFAULT now() + interval '14 days',
  escalate_at     timestamptz,           -- unless somebody looks after it before
  beyond          double precision,      -- how far past its threshold, as observed
  gone            boolean NOT NULL DEFAULT false,  -- evidence that went after a person closed it
  CONSTRAINT alert_resumes CHECK ((status = 'suppressed') = (resumes IS NOT NULL))
);
COMMENT ON COLUMN gis.alert.resolved_at IS 'When it ended: resolved, expired or false.';
CREATE INDEX alert_live ON gis.alert (layer_id, rule, stream)
  WHERE status IN ('pending', 'open', 'acknowledged', 'suppressed');
CREATE INDEX alert_ended ON gis.alert (layer_id, rule, stream, until)
  WHERE status IN ('resolved', 'expired', 'false');
CREATE INDEX alert_closed ON gis.alert (layer_id, rule, stream)
  WHERE status IN ('resolved', 'false') AND key IS NOT NULL AND NOT gone;
CREATE INDEX alert_geom ON gis.alert USING gist (geom);

-- A rule that keeps alerts from notifying: who set it, until when, and why.
CREATE TABLE gis.silence (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id   text,                       -- NULL: of any
  rule       text,
  communes   text[] NOT NULL DEFAULT '{}',  -- empty: anywhere
  who        text NOT NULL,
  why        text NOT NULL CHECK (btrim(why) <> ''),
  created_at timestamptz NOT NULL DEFAULT now(),
  until      timestamptz NOT NULL,
  ended_at   timestamptz,                -- taken back before its time
  ended_by   text,
  CHECK (layer_id IS NOT NULL OR rule IS NOT NULL OR communes <> '{}')
);

-- A step in the history of an alert.
CREATE TABLE gis.alert_event (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id   bigint NOT NULL REFERENCES gis.alert ON DELETE CASCADE,
  at         timestamptz NOT NULL DEFAULT now(),
  who        text NOT NULL,
  act        text NOT NULL,
  note       text NOT NULL DEFAULT '',
  notify     boolean NOT NULL DEFAULT true,  -- subscribers are notified, if the act is one of which they are
  silence_id bigint REFERENCES gis.silence,  -- that suppressed it
  within_id  bigint REFERENCES gis.alert ON DELETE SET NULL  -- the alert that suppressed it
);
CREATE INDEX alert_event_of ON gis.alert_event (alert_id, id);

-- The newest evaluation of each day of each stream; its p says whether the detector is calibrated.
CREATE TABLE gis.alert_look (
  layer_id  text NOT NULL,
  rule      text NOT NULL,
  stream    text NOT NULL,
  day       date NOT NULL,               -- in Vietnam
  until     timestamptz NOT NULL,
  looked_at timestamptz NOT NULL,
  version   bigint,                      -- of the layer
  run_id    bigint,
  signals   int NOT NULL,
  p         double precision,
  simulated boolean NOT NULL DEFAULT false,  -- rests on simulated records: no budget counts it
  least_p   double precision,            -- of all evaluations of the day
  PRIMARY KEY (layer_id, rule, stream, day)
);
