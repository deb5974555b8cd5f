ALTER TABLE gis.subscription ADD COLUMN digest_minutes int NOT NULL DEFAULT 0
  CONSTRAINT subscription_digest CHECK (digest_minutes BETWEEN 0 AND 1440);
COMMENT ON COLUMN gis.subscription.digest_minutes IS
  'what is not urgent is gathered for so long and sent as one; 0: each by itself';
