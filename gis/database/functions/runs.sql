-- Precomputed null distributions of the scan.

-- A null distribution fits a stream. Cases within 2 % of those for which it was drawn move it less than
-- its replicates do.
CREATE OR REPLACE FUNCTION gis.null_fits(n gis.scan_null, last_day int, code text, stratified boolean,
                              cases int) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT (n).last_day = $2 AND (n).code_version = $3 AND (n).stratified = $4
    AND abs((n).cases - $5) <= 0.02 * (n).cases
$$;

-- A run judged a stream by another null distribution than the one that fits, or by none, and the one
-- that fits has been computed since.
CREATE OR REPLACE FUNCTION gis.has_better_null(run bigint) RETURNS boolean
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
