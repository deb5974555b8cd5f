-- A null says what it was drawn for, so that the nearest one serves until the right one is drawn;
-- before, a digest of all that told only those that fit.

ALTER TABLE gis.scan_null
  ADD COLUMN layer_id     text,
  ADD COLUMN stream       text,
  ADD COLUMN last_day     int,   -- of the scan, in Vietnam; days since 1970-01-01
  ADD COLUMN options      jsonb, -- of the scan
  ADD COLUMN code_version text;

UPDATE gis.scan_null n
SET layer_id = u.layer_id, stream = u.stream, last_day = u.last_day, options = u.options,
    code_version = u.code_version
FROM (SELECT DISTINCT ON (s.null_id) s.null_id, r.layer_id, s.stream,
             gis.day_of(r.input_until) - DATE '1970-01-01' AS last_day,
             r.parameters -> 'scan' AS options, r.code_version
      FROM gis.scan_stream s JOIN gis.hotspot_run r ON r.id = s.run_id
      ORDER BY s.null_id, r.id) AS u
WHERE u.null_id = n.id;

DELETE FROM gis.scan_null WHERE layer_id IS NULL; -- of no run any more

ALTER TABLE gis.scan_null
  ALTER COLUMN layer_id SET NOT NULL,
  ALTER COLUMN stream SET NOT NULL,
  ALTER COLUMN last_day SET NOT NULL,
  ALTER COLUMN options SET NOT NULL,
  ALTER COLUMN code_version SET NOT NULL,
  DROP COLUMN key;
CREATE INDEX scan_null_of_stream ON gis.scan_null (layer_id, stream, last_day);

-- Cases within 2 % of those for which a null was drawn move it less than its replicates do.
CREATE FUNCTION gis.null_fits(n gis.scan_null, last_day int, code text, stratified boolean,
                              cases int) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT (n).last_day = $2 AND (n).code_version = $3 AND (n).stratified = $4
    AND abs((n).cases - $5) <= 0.02 * (n).cases
$$;

COMMENT ON COLUMN gis.scan_stream.null_id IS
  'NULL: no null was near enough, so the run did not judge the stream';

-- Whether a run judged a stream by another null than the one that fits, or by none, and the one that
-- fits is there by now.
CREATE FUNCTION gis.has_better_null(run bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM gis.hotspot_run r
    JOIN gis.scan_stream s ON s.run_id = r.id
    LEFT JOIN gis.scan_null used ON used.id = s.null_id
    JOIN gis.scan_null n ON n.layer_id = r.layer_id AND n.stream = s.stream
      AND n.last_day = gis.day_of(r.input_until) - DATE '1970-01-01'
    WHERE r.id = run AND n.options = r.parameters -> 'scan'
      AND gis.null_fits(n, n.last_day, r.code_version, s.stratified, s.cases)
      AND gis.null_fits(used, n.last_day, r.code_version, s.stratified, s.cases) IS NOT TRUE)
$$;
