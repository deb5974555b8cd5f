-- Statements of layers/detect/thresholds/evaluation.py, each under its name. {layer}, {field}, {of} and
-- {where} are identifiers of a validated layer file; all else is bound.
-- Each gives, a row for each thing beyond its threshold: key, label (of the thing), value, since,
-- until, cell (H3), commune, lon, lat, records (ids of the evidence), simulated.

-- name: sensor
-- The newest reading of a sensor is beyond; since: the first of the readings beyond that no other
-- reading interrupts. A stale reading opens no alert, but does not close one either, for a day: a
-- flood may have taken the sensor.
WITH reading AS (
  SELECT *, {of} AS sensor, {field} {beyond} :limit AS beyond
  FROM {layer}
  WHERE valid_at <= :now AND valid_at > :now - make_interval(mins => :lookback_minutes)
    AND {field} IS NOT NULL AND {of} IS NOT NULL),
newest AS (
  SELECT DISTINCT ON (sensor) * FROM reading ORDER BY sensor, valid_at DESC, id DESC)
SELECT n.sensor AS key, n.sensor AS label, n.{field} AS value, run.since, n.valid_at AS until,
       gis.h3_parent(n.h3, 8) AS cell, n.commune, ST_X(n.geom) AS lon, ST_Y(n.geom) AS lat,
       run.records, run.simulated
FROM newest n CROSS JOIN LATERAL (
  SELECT min(r.valid_at) AS since, array_agg(r.id ORDER BY r.id) AS records,
         2 * count(*) FILTER (WHERE r.provenance ->> 'simulated' = 'true') > count(*) AS simulated
  FROM reading r
  WHERE r.sensor = n.sensor AND r.beyond AND r.valid_at > coalesce(
    (SELECT max(c.valid_at) FROM reading c WHERE c.sensor = n.sensor AND NOT c.beyond),
    '-infinity')) AS run
WHERE n.beyond AND (n.valid_at > :now - make_interval(mins => :stale_minutes)
                    OR n.sensor = ANY(CAST(:live AS text[])))
ORDER BY n.sensor;

-- name: rain
-- The gauge with the greatest sum stands for its hex: gauges of one hex measure one rain.
WITH gauge AS (
  SELECT gis.h3_parent(h3, :resolution) AS hex, {of} AS gauge, sum({field}) AS value,
         min(valid_at) AS since, max(valid_at) AS until, min(commune) AS commune,
         array_agg(id ORDER BY id) AS records,
         2 * count(*) FILTER (WHERE provenance ->> 'simulated' = 'true') > count(*) AS simulated
  FROM {layer}
  WHERE valid_at <= :now AND valid_at > :now - make_interval(secs => :seconds)
    AND h3 IS NOT NULL AND NOT default_point
    AND {field} IS NOT NULL AND {of} IS NOT NULL
  GROUP BY hex, gauge)
SELECT DISTINCT ON (hex) gis.h3_text(hex) AS key, gauge AS label, value, since, until, hex AS cell,
       commune, NULL::float8 AS lon, NULL::float8 AS lat, records, simulated
FROM gauge WHERE value > :limit
ORDER BY hex, value DESC, gauge;

-- name: count
SELECT {place} AS key, {place} AS label, {value} AS value, min(valid_at) AS since,
       max(valid_at) AS until, {cell} AS cell,
       mode() WITHIN GROUP (ORDER BY commune) AS commune,
       NULL::float8 AS lon, NULL::float8 AS lat, array_agg(id ORDER BY id) AS records,
       2 * count(*) FILTER (WHERE provenance ->> 'simulated' = 'true') > count(*) AS simulated
FROM {layer} AS record
WHERE valid_at <= :now AND valid_at > :now - make_interval(secs => :seconds) AND {where}
GROUP BY {group} HAVING {value} >= :limit
ORDER BY 1;

-- name: quiet
-- Whole hours since the newest record. A sensor without a record in a year is not missed.
WITH newest AS (
  SELECT DISTINCT ON ({of}) {of} AS sensor, valid_at, h3, commune, geom, id, provenance
  FROM {layer}
  WHERE valid_at <= :now AND valid_at > :now - interval '366 days' AND {of} IS NOT NULL
  ORDER BY {of}, valid_at DESC, id DESC)
SELECT sensor AS key, sensor AS label, floor(extract(epoch FROM :now - valid_at) / 3600) AS value,
       valid_at AS since, CAST(:now AS timestamptz) AS until,
       gis.h3_parent(h3, 8) AS cell, commune, ST_X(geom) AS lon, ST_Y(geom) AS lat,
       ARRAY[id] AS records,
       coalesce(provenance ->> 'simulated' = 'true', false) AS simulated
FROM newest WHERE valid_at <= :now - make_interval(secs => :seconds)
ORDER BY sensor;

-- name: indicator
WITH newest AS (
  SELECT DISTINCT ON ({of}) {of} AS name, {field} AS value, valid_at, h3, commune, geom, id,
         provenance
  FROM {layer} WHERE valid_at <= :now AND {field} IS NOT NULL AND {of} IS NOT NULL
  ORDER BY {of}, valid_at DESC, id DESC)
SELECT name AS key, name AS label, value, valid_at AS since, valid_at AS until,
       gis.h3_parent(h3, 8) AS cell, commune, ST_X(geom) AS lon, ST_Y(geom) AS lat,
       ARRAY[id] AS records, coalesce(provenance ->> 'simulated' = 'true', false) AS simulated
FROM newest WHERE value {beyond} :limit
ORDER BY name;

-- name: level
-- The row of a station says which level its newest value reached (layers/series/latest.py). since: the
-- first measurement after the last one that was below the lowest level.
SELECT s.source_key AS key, coalesce({of}, s.source_key) AS label, s.{field} AS value,
       s.{level} AS level, ({thresholds})[s.{level}] AS threshold, run.since, s.{at} AS until,
       gis.h3_parent(s.h3, 8) AS cell, s.commune, ST_X(s.geom) AS lon, ST_Y(s.geom) AS lat,
       ARRAY[s.id] AS records,
       coalesce(s.provenance ->> 'simulated' = 'true', false) AS simulated
FROM {layer} s CROSS JOIN LATERAL (
  SELECT coalesce(min(m.measured_at), s.{at}) AS since FROM {measurements} m
  WHERE m.station = s.id AND m.quantity = {quantity} AND m.measured_at <= s.{at}
    AND m.measured_at > coalesce((
      SELECT max(b.measured_at) FROM {measurements} b
      WHERE b.station = s.id AND b.quantity = {quantity} AND b.quality <> 'implausible'
        AND b.value < ({thresholds})[1] - {hysteresis}
        AND b.measured_at > s.{at} - interval '30 days'), s.{at} - interval '30 days')
    AND m.measured_at > s.{at} - interval '30 days') AS run
WHERE s.{level} >= 1 AND s.{at} <= :now
  AND (s.{at} > :now - make_interval(mins => :stale_minutes)
       OR s.source_key = ANY(CAST(:live AS text[])))
ORDER BY s.source_key;
