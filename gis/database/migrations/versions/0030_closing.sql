-- What was derived from a layer, or from a field of it, goes when that is closed.

COMMENT ON COLUMN gis.layer.archives_from IS
  'the least version of which archives, and tiles on disk, are handed out';

-- What it read and found is gone; that it was made, when and by which parameters, stays.
ALTER TABLE gis.hotspot_run ADD redacted_at timestamptz, ADD redacted_why text;

-- The text is gone; later documents of the alert still reference the identifier.
ALTER TABLE gis.cap_message ADD withdrawn_at timestamptz;
