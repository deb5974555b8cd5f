-- Where each change of a layer lies, so that it drops the tiles that it touches and no others; and how
-- many rows lie in each cell of a coarse grid, from which tiles of a large layer are made. Maintained
-- by statement triggers inside the transaction that changes the rows.

-- A query of (sign, geom) for the changed rows that lie somewhere.
CREATE OR REPLACE FUNCTION gis.tile_rows(sign int, source text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT format('SELECT %s AS sign, geom FROM %s WHERE geom IS NOT NULL AND NOT ST_IsEmpty(geom)',
     sign, source) $$;

-- The statement that adds such signed rows to the counts of the layer $1.
CREATE OR REPLACE FUNCTION gis.merge_tile_counts(rows text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT format($q$
WITH middles AS MATERIALIZED (
  SELECT sign, gis.mercator_x((ST_XMin(geom) + ST_XMax(geom)) / 2) AS x,
         gis.mercator_y((ST_YMin(geom) + ST_YMax(geom)) / 2) AS y
  FROM (%s) AS rows),
finest AS MATERIALIZED (
  SELECT floor(x / 40075016.685578488 * 65536)::int AS across,
         floor(y / 40075016.685578488 * 65536)::int AS up,
         sum(sign) AS count, sum(sign * round(x * 100)::bigint) AS sum_x,
         sum(sign * round(y * 100)::bigint) AS sum_y
  FROM middles GROUP BY 1, 2)
MERGE INTO gis.tile_count AS counts
USING (
  SELECT $1 AS layer_id, zoom, across >> (16 - zoom) AS across, up >> (16 - zoom) AS up,
         sum(count)::int AS count, sum(sum_x)::bigint AS sum_x, sum(sum_y)::bigint AS sum_y
  FROM finest CROSS JOIN (VALUES (11), (13), (16)) AS zooms (zoom)
  GROUP BY 2, 3, 4 HAVING sum(count) <> 0 OR sum(sum_x) <> 0 OR sum(sum_y) <> 0) AS new
ON counts.layer_id = new.layer_id AND counts.zoom = new.zoom AND counts.across = new.across
  AND counts.up = new.up
WHEN MATCHED AND counts.count + new.count = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET count = counts.count + new.count, sum_x = counts.sum_x + new.sum_x,
  sum_y = counts.sum_y + new.sum_y
WHEN NOT MATCHED THEN INSERT
  VALUES ($1, new.zoom, new.across, new.up, new.count, new.sum_x, new.sum_y)
$q$, rows) $$;

-- Fires after the trigger `version`, which has locked the layer's row and raised its version: the
-- names of triggers give their order. Few places are logged one by one, many by one box around all;
-- the log holds the last thousand versions, and what is older counts as touched. Counts are looked up
-- as those of hexes are (gis.count_hexes).
CREATE OR REPLACE FUNCTION gis.touch_tiles() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_material = off SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE
  now_at bigint := (SELECT version FROM gis.layer WHERE id = TG_ARGV[0]);
  rows text := CASE TG_OP
    WHEN 'INSERT' THEN gis.tile_rows(1, 'new_rows')
    WHEN 'DELETE' THEN gis.tile_rows(-1, 'old_rows')
    WHEN 'UPDATE' THEN gis.tile_rows(1, 'new_rows')
      || ' UNION ALL ' || gis.tile_rows(-1, 'old_rows')
  END;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM gis.tile_count WHERE layer_id = TG_ARGV[0];
    RETURN NULL;
  END IF;
  EXECUTE gis.merge_tile_counts(rows) USING TG_ARGV[0];
  IF now_at IS NOT NULL THEN
    EXECUTE format($q$
WITH places AS MATERIALIZED (
  SELECT ST_Extent(geom) AS box FROM (%s) AS rows
  GROUP BY floor(ST_XMin(geom) * 20), floor(ST_YMin(geom) * 20)),
whole AS (SELECT count(*) AS number, ST_Extent(box::geometry) AS box FROM places),
logged AS (
  SELECT places.box FROM places, whole WHERE number <= 32
  UNION ALL SELECT box FROM whole WHERE number = 0 OR number > 32)
INSERT INTO gis.changed_area
SELECT $1, $2, ST_XMin(box), ST_YMin(box), ST_XMax(box), ST_YMax(box) FROM logged
$q$, rows) USING TG_ARGV[0], now_at;
    DELETE FROM gis.changed_area WHERE layer_id = TG_ARGV[0] AND version <= now_at - 1000;
  END IF;
  RETURN NULL;
END $$;

-- From now on the changes of a layer's table are logged; the rows that are there are counted at once.
CREATE OR REPLACE FUNCTION gis.attach_tiles(layer_id text) RETURNS void LANGUAGE plpgsql
SET enable_hashagg = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_material = off SET enable_bitmapscan = off AS $$
DECLARE
  target text := format('layer.%I', layer_id);
BEGIN
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
  DELETE FROM gis.tile_count AS counts WHERE counts.layer_id = attach_tiles.layer_id;
  PERFORM gis.attach_triggers(layer_id, 'version_touched', 'gis.touch_tiles');
  EXECUTE gis.merge_tile_counts(gis.tile_rows(1, target)) USING layer_id;
END $$;
