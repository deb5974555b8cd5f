-- A shape with a vertex that is no number or no place makes pages that are no JSON and archives that
-- cannot be written. The box of a shape passes over NaN; its length and perimeter do not, and to
-- PostgreSQL NaN is greater than infinity. The body is parsed here, so that it finds PostGIS whatever
-- the search path is when a dump is restored. Every layer table checks it (layers/tables.py).
CREATE FUNCTION gis.is_on_earth(shape geometry) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN shape IS NULL OR NOT ST_IsEmpty(shape)
  AND ST_XMin(shape) >= -180 AND ST_XMax(shape) <= 180
  AND ST_YMin(shape) >= -90 AND ST_YMax(shape) <= 90
  AND ST_Length(shape) + ST_Perimeter(shape) < 'infinity'::float8;

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
