-- Notification: each step of an alert becomes one event, in the order of commits, and one delivery
-- to each subscription that asked for it.

-- A step with the alert as it stood when its transaction committed. `seq` rises in the order of
-- commits: a reader who has seen n has missed nothing below n.
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

-- A recipient. Empty layers: all but private ones. Empty communes: all.
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
  ended_at       timestamptz,
  only_named     boolean NOT NULL DEFAULT false,  -- not of layers whose files do not name it
  by_admin       boolean NOT NULL DEFAULT false   -- alerts of private layers go only to these
);
CREATE UNIQUE INDEX subscription_name ON gis.subscription (name) WHERE ended_at IS NULL;

-- The keys that sign webhooks. Read by the sender alone and never shown again.
CREATE TABLE private.webhook_secret (
  subscription_id bigint PRIMARY KEY REFERENCES gis.subscription ON DELETE CASCADE,
  secret          text NOT NULL
);

-- The outbox: one row an event and subscription, with the key by which a receiver knows a repeat.
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
CREATE INDEX delivery_alert ON gis.delivery (alert_id, subscription_id);

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
  document   text NOT NULL,
  expires    timestamptz NOT NULL
);
CREATE INDEX cap_message_alert ON gis.cap_message (alert_id, seq);

-- The last event of which documents were made; one row.
CREATE TABLE gis.cap_progress (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  seq      bigint NOT NULL
);
INSERT INTO gis.cap_progress (seq) VALUES (0);

-- Steps whose CAP document could not be made: tried again, and given up at `ended_at`.
CREATE TABLE gis.cap_undone (
  seq      bigint PRIMARY KEY REFERENCES gis.notice,
  alert_id bigint NOT NULL,
  failures int NOT NULL,
  due_at   timestamptz NOT NULL,
  error    text NOT NULL,
  ended_at timestamptz
);
CREATE INDEX cap_undone_alert ON gis.cap_undone (alert_id, seq);
