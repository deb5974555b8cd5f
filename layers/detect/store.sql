-- Statements of layers/detect, each under its name; add_… and rows_of_… are of a table of results.

-- name: store_input
INSERT INTO gis.run_input (digest, content) VALUES (:digest, :content)
ON CONFLICT (digest) DO NOTHING;

-- name: newest_input
SELECT i.content FROM gis.hotspot_run r LEFT JOIN gis.run_input i ON i.digest = r.input_digest
WHERE r.layer_id = :layer AND r.method = :method ORDER BY r.input_until DESC, r.id DESC LIMIT 1;

-- name: add_run
INSERT INTO gis.hotspot_run (layer_id, method, parameters, input_version, input_until,
                             code_version, cleaning, input_digest, official, simulated)
VALUES (:layer, :method, CAST(:parameters AS jsonb), :version, :until, :code,
        CAST(:cleaning AS jsonb), :digest, :official, :simulated)
RETURNING id;

-- name: add_hotspot
INSERT INTO gis.hotspot (run_id, cell, geom, commune, count, neighbours_count, expected, z, p, q,
                         edge, explanation_vi, explanation_en)
SELECT :run, one.cell, ST_GeomFromText(one.wkt, 4326), one.commune, one.count,
       one.neighbours_count, one.expected, one.z, one.p, one.q, one.edge, one.explanation_vi,
       one.explanation_en
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS one (
  cell bigint, wkt text, commune text, count int, neighbours_count int, expected float8, z float8,
  p float8, q float8, edge boolean, explanation_vi text, explanation_en text);

-- name: add_emerging
INSERT INTO gis.emerging (run_id, cell, geom, commune, category, count, steps, hot_steps,
                          cold_steps, last_run, z, trend_p, trend, explanation_vi, explanation_en)
SELECT :run, one.cell, ST_GeomFromText(one.wkt, 4326), one.commune, one.category, one.count,
       one.steps, one.hot_steps, one.cold_steps, one.last_run, one.z, one.trend_p, one.trend,
       one.explanation_vi, one.explanation_en
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS one (
  cell bigint, wkt text, commune text, category text, count int, steps int, hot_steps int,
  cold_steps int, last_run int, z float8, trend_p float8, trend int, explanation_vi text,
  explanation_en text);

-- name: add_local_moran
INSERT INTO gis.local_moran (run_id, cell, geom, commune, category, count, expected,
                             neighbours_count, neighbours_expected, moran, p, q, edge,
                             explanation_vi, explanation_en)
SELECT :run, one.cell, ST_GeomFromText(one.wkt, 4326), one.commune, one.category, one.count,
       one.expected, one.neighbours_count, one.neighbours_expected, one.moran, one.p, one.q,
       one.edge, one.explanation_vi, one.explanation_en
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS one (
  cell bigint, wkt text, commune text, category text, count int, expected float8,
  neighbours_count int, neighbours_expected float8, moran float8, p float8, q float8,
  edge boolean, explanation_vi text, explanation_en text);

-- name: add_scan_cluster
INSERT INTO gis.scan_cluster (run_id, stream, rank, tier, geom, centre, radius_m, days, since,
                              until, observed, expected, llr, p, recurrence_days, cells, communes,
                              records, explanation_vi, explanation_en)
SELECT :run, one.stream, one.rank, one.tier, ST_Multi(ST_GeomFromText(one.wkt, 4326)), one.centre,
       one.radius_m, one.days, one.since, one.until, one.observed, one.expected, one.llr, one.p,
       one.recurrence_days, one.cells, one.communes, one.records, one.explanation_vi,
       one.explanation_en
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS one (
  stream text, rank int, tier text, wkt text, centre bigint, radius_m float8, days int,
  since timestamptz, until timestamptz, observed int, expected float8, llr float8, p float8,
  recurrence_days float8, cells bigint[], communes text[], records bigint[], explanation_vi text,
  explanation_en text);

-- name: add_scan_stream
INSERT INTO gis.scan_stream (run_id, stream, cases, stratified, llr, p, null_id)
SELECT :run, one.stream, one.cases, one.stratified, one.llr, one.p, one.null_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS one (
  stream text, cases int, stratified boolean, llr float8, p float8, null_id bigint);

-- name: add_series_result
INSERT INTO gis.series_result (run_id, stream, commune, tier, days, since, until, observed, expected,
                               bound, p, recurrence_days, records, explanation_vi, explanation_en)
SELECT :run, one.stream, one.commune, one.tier, one.days, one.since, one.until, one.observed,
       one.expected, one.bound, one.p, one.recurrence_days, one.records, one.explanation_vi,
       one.explanation_en
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS one (
  stream text, commune text, tier text, days int, since timestamptz, until timestamptz,
  observed int, expected float8, bound int, p float8, recurrence_days float8, records bigint[],
  explanation_vi text, explanation_en text);

-- name: add_hex_result
INSERT INTO gis.hex_result (run_id, cell, geom, commune, result, explanation_vi, explanation_en)
SELECT :run, CAST(one ->> 'cell' AS bigint), ST_GeomFromText(one ->> 'wkt', 4326), one ->> 'commune',
       one - ARRAY['cell', 'wkt', 'commune', 'explanation_vi', 'explanation_en'],
       one ->> 'explanation_vi', one ->> 'explanation_en'
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS one;

-- name: find_null
-- The one that fits, else the nearest whose number of cases is within 5 %.
SELECT n.id, n.maxima, n.cases, n.stratified,
       gis.null_fits(n, :last_day, :code, :stratified, :cases) AS fits
FROM gis.scan_null n
WHERE n.layer_id = :layer AND n.stream = :stream AND n.options = CAST(:options AS jsonb)
  AND abs(n.cases - :cases) <= 0.05 * n.cases
ORDER BY fits DESC, n.stratified = :stratified DESC, n.code_version = :code DESC,
         abs(n.last_day - :last_day), abs(n.cases - :cases), n.id DESC
LIMIT 1;

-- name: keep_null
INSERT INTO gis.scan_null (layer_id, stream, last_day, options, code_version, cases, input_digest,
                           stratified, maxima)
VALUES (:layer, :stream, :last_day, CAST(:options AS jsonb), :code, :cases, :digest, :stratified,
        :maxima)
RETURNING id;

-- name: newest_scan
-- The newest run of the alarm of a layer, without what it read.
SELECT id, input_digest FROM gis.hotspot_run
WHERE layer_id = :layer AND method = 'stp_scan' AND input_digest IS NOT NULL
ORDER BY input_until DESC, id DESC LIMIT 1;

-- name: left_out
-- Whether the newest scan of a layer left streams out, whose null distributions are being drawn.
SELECT EXISTS (
  SELECT FROM gis.scan_stream WHERE null_id IS NULL AND run_id = (
    SELECT id FROM gis.hotspot_run WHERE layer_id = :layer AND method = 'stp_scan'
    ORDER BY input_until DESC, id DESC LIMIT 1));

-- name: input
SELECT content FROM gis.run_input WHERE digest = :digest;

-- name: run
SELECT r.*, i.content FROM gis.hotspot_run r LEFT JOIN gis.run_input i ON i.digest = r.input_digest
WHERE r.id = :run;

-- name: rows_of_hotspot
SELECT * FROM gis.hotspot WHERE run_id = :run ORDER BY cell;

-- name: rows_of_emerging
SELECT * FROM gis.emerging WHERE run_id = :run ORDER BY cell;

-- name: rows_of_local_moran
SELECT * FROM gis.local_moran WHERE run_id = :run ORDER BY cell;

-- name: rows_of_scan_cluster
SELECT * FROM gis.scan_cluster WHERE run_id = :run ORDER BY stream, rank;

-- name: rows_of_series_result
SELECT stream, coalesce(commune, '') AS commune, tier, days, observed, expected, p, records
FROM gis.series_result WHERE run_id = :run ORDER BY id;

-- name: rows_of_hex_result
SELECT * FROM gis.hex_result WHERE run_id = :run ORDER BY cell;

-- name: nulls_of_run
SELECT s.stream, n.last_day, n.maxima, i.content
FROM gis.scan_stream s JOIN gis.scan_null n ON n.id = s.null_id
JOIN gis.run_input i ON i.digest = n.input_digest
WHERE s.run_id = :run;

-- name: prune_runs
-- Each day's last run is kept longer than those before it; one that raised an alert stays.
DELETE FROM gis.hotspot_run r
WHERE r.layer_id = :layer
  AND (r.input_until < :oldest
       OR (r.input_until < :recent AND NOT EXISTS (SELECT FROM gis.run_in_force f WHERE f.id = r.id)))
  AND NOT EXISTS (SELECT FROM gis.alert a WHERE a.run_id = r.id)
  AND EXISTS (SELECT FROM gis.hotspot_run n
              WHERE n.layer_id = r.layer_id AND n.method = r.method
                AND (n.input_until, n.id) > (r.input_until, r.id));

-- name: prune_nulls
DELETE FROM gis.scan_null n
WHERE n.made_at < :recent AND NOT EXISTS (SELECT FROM gis.scan_stream s WHERE s.null_id = n.id);

-- name: redact_runs_of_field
UPDATE gis.hotspot_run
SET input_digest = NULL, cleaning = '{}', redacted_at = now(), redacted_why = :why
WHERE layer_id = :layer AND redacted_at IS NULL
  AND jsonb_path_exists(parameters, '$.** ? (@ == $field)', jsonb_build_object('field', CAST(:field AS text)))
RETURNING id;

-- name: redact_runs_exposed_to
-- Of other layers: who reads the closed one may read its own.
UPDATE gis.hotspot_run
SET input_digest = NULL, cleaning = '{}', redacted_at = now(), redacted_why = CASE WHEN method = 'joint_scan' THEN :joint ELSE :why END
WHERE layer_id <> :layer AND redacted_at IS NULL
  AND (parameters ->> 'exposure' = :layer
       OR method = 'joint_scan' AND jsonb_exists(parameters #> '{joint,layers}', :layer))
RETURNING id;

-- name: forget_nulls
DELETE FROM gis.scan_null n
WHERE n.layer_id = :layer AND NOT EXISTS (SELECT FROM gis.scan_stream s WHERE s.null_id = n.id);

-- name: raise_results
UPDATE gis.layer SET version = version + 1, changed_at = now(), archives_from = version + 1
WHERE id = ANY(gis.result_layers());

-- name: prune_inputs
DELETE FROM gis.run_input i
WHERE NOT EXISTS (SELECT FROM gis.hotspot_run r WHERE r.input_digest = i.digest)
  AND NOT EXISTS (SELECT FROM gis.scan_null n WHERE n.input_digest = i.digest);
