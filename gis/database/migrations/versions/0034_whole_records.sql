-- Not checked for polygons that are there: the next load of boundaries replaces them.
ALTER TABLE gis.admin_unit ADD CONSTRAINT on_earth CHECK (gis.is_on_earth(geom)) NOT VALID;

-- A digest of what the source said, which corrections do not change: while it says the same, a record
-- that was corrected or dropped does not come back. (jsonb writes its keys in one order.)
ALTER TABLE gis.quarantine ADD COLUMN said text;
UPDATE gis.quarantine q SET said = md5(coalesce(
  (SELECT a.what -> 'before' FROM private.audit a
   WHERE a.act = 'quarantine.fix' AND (a.what ->> 'id')::bigint = q.id ORDER BY a.id LIMIT 1),
  q.raw)::text);
COMMENT ON COLUMN gis.quarantine.said IS 'MD5 of raw::text as the source said it';
