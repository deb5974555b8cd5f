-- What goes on is told on: an alert that a person closed, when its threshold is left far behind or
-- crossed again; a CAP document, before its time is over; and one that could not be made.

ALTER TABLE gis.alert
  ADD COLUMN beyond double precision,             -- how far past its threshold, as observed
  ADD COLUMN gone   boolean NOT NULL DEFAULT false;  -- evidence that went after a person closed it
CREATE INDEX alert_closed ON gis.alert (layer_id, rule, stream)
  WHERE status IN ('resolved', 'false') AND key IS NOT NULL AND NOT gone;

ALTER TABLE gis.cap_message ADD COLUMN expires timestamptz;
UPDATE gis.cap_message SET expires = substring(document FROM '<expires>([^<]+)')::timestamptz;
ALTER TABLE gis.cap_message ALTER COLUMN expires SET NOT NULL;

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
