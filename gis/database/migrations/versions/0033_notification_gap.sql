-- Within some minutes a subscription is sent one notification of an alert; what comes meanwhile waits
-- and is sent as one, the newest, in place of those before it: these are superseded.
ALTER TABLE gis.delivery DROP CONSTRAINT delivery_status_check;
ALTER TABLE gis.delivery ADD CONSTRAINT delivery_status_check
  CHECK (status IN ('waiting', 'delivered', 'dead', 'cancelled', 'superseded'));
