-- What goes on is told on: an alert that a person closed, when its threshold is left far behind or
-- crossed again.

ALTER TABLE gis.alert
  ADD COLUMN beyond double precision,             -- how far past its threshold, as observed
  ADD COLUMN gone   boolean NOT NULL DEFAULT false;  -- evidence that went after a person closed it
CREATE INDEX alert_closed ON gis.alert (layer_id, rule, stream)
  WHERE status IN ('resolved', 'false') AND key IS NOT NULL AND NOT gone;
