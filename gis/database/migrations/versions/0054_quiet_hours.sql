ALTER TABLE gis.subscription ADD COLUMN quiet_from time, ADD COLUMN quiet_to time,
  ADD CONSTRAINT subscription_quiet CHECK (
    CASE WHEN quiet_from IS NULL THEN quiet_to IS NULL ELSE quiet_to IS NOT NULL AND quiet_to <> quiet_from END);
COMMENT ON COLUMN gis.subscription.quiet_from IS
  'from then on, by the clock of Vietnam, up to quiet_to what is not urgent waits';
