-- Counts of a layer's rows by H3 cell, maintained by statement triggers inside the transaction that changes
-- the rows. Attached to each layer's table by layers (see layers/storage/sync.py).

-- A query of (sign, h3, category, day, value) for the rows of `source` that count. `source` is a
-- name that this file gave: a transition table, or an identifier already quoted. NaN and infinity
-- are no values: nothing could be taken away from a sum that holds one.
CREATE OR REPLACE FUNCTION gis.hex_rows(sign int, category text, measure text, source text) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT format(
     'SELECT %s AS sign, h3, %s AS category, gis.day_of(valid_at) AS day, %s AS value FROM %s'
     ' WHERE h3 IS NOT NULL AND NOT default_point',
     sign,
     CASE WHEN category IS NULL THEN $q$''$q$ ELSE format($q$coalesce(%I::text, '')$q$, category) END,
     CASE WHEN measure IS NULL THEN 'NULL::numeric' ELSE format(
       $q$CASE WHEN abs(%1$I::float8) < 'Infinity' THEN %1$I::numeric END$q$, measure) END,
     source) $$;

-- The statements that add such signed rows to the counts of the layer $1. They give their rows in the
-- order of the primary keys, so that a load of many rows fills one page after the other. Of a layer
-- that has no counts yet (`fresh`) none is looked up, which takes half of the time.
CREATE OR REPLACE FUNCTION gis.merge_hex_days(rows text, fresh boolean) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT format(CASE WHEN fresh THEN $q$
INSERT INTO gis.hex_day_count AS counts (layer_id, day, cell, category, count, valued, total)
SELECT layer_id, day, cell, category, change, valued, total FROM (%s) AS new WHERE change <> 0
$q$ ELSE $q$
MERGE INTO gis.hex_day_count AS counts
USING (%s) AS new
ON counts.layer_id = new.layer_id AND counts.day = new.day AND counts.cell = new.cell
  AND counts.category = new.category
WHEN MATCHED AND new.change = 0 AND new.valued = 0 AND new.total = 0 THEN DO NOTHING
WHEN MATCHED AND counts.count + new.change = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET count = counts.count + new.change,
  valued = counts.valued + new.valued, total = counts.total + new.total
WHEN NOT MATCHED AND new.change = 0 THEN DO NOTHING
WHEN NOT MATCHED THEN INSERT (layer_id, day, cell, category, count, valued, total)
  VALUES ($1, new.day, new.cell, new.category, new.change, new.valued, new.total)
$q$ END, format($q$
  SELECT $1 AS layer_id, gis.h3_parent(h3, 10) AS cell, day, category, sum(sign)::int AS change,
         coalesce(sum(sign) FILTER (WHERE value IS NOT NULL), 0)::int AS valued,
         coalesce(sum(sign * value), 0) AS total
  FROM (%s) AS rows GROUP BY 2, 3, 4$q$, rows)) $$;

-- The sums of a resolution are those of the next finer one, so that rows are gone through once. What
-- has no value keeps null as its sum to the end: nothing is to be added up then.
CREATE OR REPLACE FUNCTION gis.merge_hexes(rows text, fresh boolean) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT format($q$
WITH cells_10 AS MATERIALIZED (
  SELECT gis.h3_parent(h3, 10) AS cell, category, sum(sign) AS change,
         sum(sign) FILTER (WHERE value IS NOT NULL) AS valued, sum(sign * value) AS total
  FROM (%s) AS rows GROUP BY 1, 2)%s$q$, rows,
  (SELECT string_agg(format($q$, cells_%s AS MATERIALIZED (
  SELECT gis.h3_parent(cell, %1$s) AS cell, category, sum(change)::bigint AS change,
         sum(valued)::bigint AS valued, sum(total) AS total
  FROM cells_%s GROUP BY 1, 2)$q$, resolution, resolution + 1), '' ORDER BY resolution DESC)
   FROM generate_series(5, 9) AS resolution))
|| format(CASE WHEN fresh THEN $q$
INSERT INTO gis.hex_count (layer_id, resolution, cell, category, count, valued, total)
SELECT layer_id, resolution, cell, category, change, valued, total FROM (%s) AS new WHERE change <> 0
$q$ ELSE $q$
MERGE INTO gis.hex_count AS counts
USING (%s OFFSET 0) AS new
ON counts.layer_id = new.layer_id AND counts.resolution = new.resolution
  AND counts.cell = new.cell AND counts.category = new.category
WHEN MATCHED AND new.change = 0 AND new.valued = 0 AND new.total = 0 THEN DO NOTHING
WHEN MATCHED AND counts.count + new.change = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET count = counts.count + new.change,
  valued = counts.valued + new.valued, total = counts.total + new.total
WHEN NOT MATCHED AND new.change = 0 THEN DO NOTHING
WHEN NOT MATCHED THEN INSERT (layer_id, resolution, cell, category, count, valued, total)
  VALUES ($1, new.resolution, new.cell, new.category, new.change, new.valued, new.total)
$q$ END, format($q$
  SELECT $1 AS layer_id, resolution, cell, category, change::int,
         coalesce(valued, 0)::int AS valued, coalesce(total, 0) AS total
  FROM (%s) AS cells$q$,
  (SELECT string_agg(format('SELECT %s AS resolution, * FROM cells_%1$s', resolution), ' UNION ALL '
                     ORDER BY resolution)
   FROM generate_series(5, 10) AS resolution))) $$;

-- The row of gis.layer is locked first, so that writers of one layer wait here in one order and never
-- for each other's counts crosswise. The arguments of a trigger are the layer, its category and its
-- measure, in this order. An empty category is none.
--
-- Nothing is known of the cells of new rows, nor of counts since a load before they are analyzed, so
-- the planner is left no choice: groups are made by sorting, which keeps within memory and gives them in
-- order, and each count is looked up by its key, so that a few rows never read the counts of a layer
-- (nor does the planner see that they are of one: that is what new.layer_id and OFFSET 0 are for).
CREATE OR REPLACE FUNCTION gis.count_hexes() RETURNS trigger LANGUAGE plpgsql
SET enable_hashagg = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_material = off SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE
  category text := nullif(TG_ARGV[1], '');
  measure text := TG_ARGV[2];
  rows text;
  fresh boolean;
BEGIN
  PERFORM FROM gis.layer WHERE id = TG_ARGV[0] FOR NO KEY UPDATE;
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM gis.hex_count WHERE layer_id = TG_ARGV[0];
    DELETE FROM gis.hex_day_count WHERE layer_id = TG_ARGV[0];
    RETURN NULL;
  END IF;
  rows := CASE TG_OP
    WHEN 'INSERT' THEN gis.hex_rows(1, category, measure, 'new_rows')
    WHEN 'DELETE' THEN gis.hex_rows(-1, category, measure, 'old_rows')
    ELSE gis.hex_rows(1, category, measure, 'new_rows')
      || ' UNION ALL ' || gis.hex_rows(-1, category, measure, 'old_rows')
  END;
  fresh := NOT EXISTS (SELECT FROM gis.hex_day_count WHERE layer_id = TG_ARGV[0]);
  EXECUTE gis.merge_hex_days(rows, fresh) USING TG_ARGV[0];
  EXECUTE gis.merge_hexes(rows, fresh) USING TG_ARGV[0];
  RETURN NULL;
END $$;

-- From now on the rows of a layer are counted; those that are there are counted at once, as
-- gis.count_hexes does. Can be repeated, also with another category or measure, which are names of columns.
CREATE OR REPLACE FUNCTION gis.attach_hex_counts(
  layer_id text, category text DEFAULT NULL, measure text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET enable_hashagg = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_material = off SET enable_bitmapscan = off AS $$
DECLARE
  target text := format('layer.%I', layer_id);
  rows text := gis.hex_rows(1, category, measure, target);
BEGIN
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
  PERFORM gis.detach_hex_counts(layer_id);
  PERFORM gis.attach_triggers(layer_id, 'hexes', 'gis.count_hexes', coalesce(category, ''), measure);
  EXECUTE gis.merge_hex_days(rows, fresh => true) USING layer_id;
  EXECUTE gis.merge_hexes(rows, fresh => true) USING layer_id;
  INSERT INTO gis.hex_counted (layer_id, category, measure) VALUES (layer_id, category, measure);
END $$;

-- The rows of a layer are no longer counted, and its counts, or the covers of its shapes, are gone.
CREATE OR REPLACE FUNCTION gis.detach_hex_counts(layer_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  event text;
BEGIN
  IF to_regclass(format('layer.%I', layer_id)) IS NOT NULL THEN
    FOREACH event IN ARRAY ARRAY['insert', 'update', 'delete', 'truncate'] LOOP
      EXECUTE format('DROP TRIGGER IF EXISTS %I ON layer.%I', 'hexes_' || event, layer_id);
    END LOOP;
  END IF;
  -- Of lines and areas: the resolution says that the table of this name holds their covers.
  IF EXISTS (SELECT FROM gis.hex_counted AS counts
             WHERE counts.layer_id = detach_hex_counts.layer_id AND counts.resolution IS NOT NULL) THEN
    EXECUTE format('DROP TABLE IF EXISTS layer.%I', layer_id || '_hexes');
    DELETE FROM gis.uncovered_shape AS shape WHERE shape.layer_id = detach_hex_counts.layer_id;
  END IF;
  DELETE FROM gis.hex_count AS counts WHERE counts.layer_id = detach_hex_counts.layer_id;
  DELETE FROM gis.hex_day_count AS counts WHERE counts.layer_id = detach_hex_counts.layer_id;
  DELETE FROM gis.hex_counted AS counts WHERE counts.layer_id = detach_hex_counts.layer_id;
  UPDATE gis.layer SET version = version + 1, changed_at = now()
    WHERE id = detach_hex_counts.layer_id;
END $$;
