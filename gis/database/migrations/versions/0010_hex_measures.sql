-- Counts by hex also hold the sum of one number field (`measure` of a layer file), of which the
-- mean is made. The sum is numeric, so that what is added and taken away again leaves nothing.

ALTER TABLE gis.hex_count
  ADD COLUMN valued int     NOT NULL DEFAULT 0 CHECK (valued BETWEEN 0 AND count),
  ADD COLUMN total  numeric NOT NULL DEFAULT 0;  -- of the `valued` records that have a value
ALTER TABLE gis.hex_day_count
  ADD COLUMN valued int     NOT NULL DEFAULT 0 CHECK (valued BETWEEN 0 AND count),
  ADD COLUMN total  numeric NOT NULL DEFAULT 0;
ALTER TABLE gis.hex_counted ADD COLUMN measure text;

-- Who asks for days asks for some hexes of a layer: those of a tile, or one and its trend.
ALTER TABLE gis.hex_day_count DROP CONSTRAINT hex_day_count_pkey,
  ADD PRIMARY KEY (layer_id, cell, day, category);

DROP FUNCTION gis.attach_hex_counts(text, text);
DROP FUNCTION gis.hex_rows(int, text, text);

-- A query of (sign, h3, category, day, value) for the rows of `source` that count. `source` is a
-- name that this file gave: a transition table, or an identifier already quoted. NaN and infinity
-- are no values: nothing could be taken away from a sum that holds one.
CREATE FUNCTION gis.hex_rows(sign int, category text, measure text, source text) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT format(
     'SELECT %s AS sign, h3, %s AS category, gis.day_of(valid_at) AS day, %s AS value FROM %s'
     ' WHERE h3 IS NOT NULL AND NOT default_point',
     sign,
     CASE WHEN category IS NULL THEN $q$''$q$ ELSE format($q$coalesce(%I::text, '')$q$, category) END,
     CASE WHEN measure IS NULL THEN 'NULL::numeric' ELSE format(
       $q$CASE WHEN abs(%1$I::float8) < 'Infinity' THEN %1$I::numeric END$q$, measure) END,
     source) $$;

-- The statements that add such signed rows to the counts of the layer $1.
CREATE OR REPLACE FUNCTION gis.merge_hex_days(rows text) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT format($q$
MERGE INTO gis.hex_day_count AS kept
USING (
  SELECT day, gis.h3_parent(h3, 10) AS cell, category, sum(sign)::int AS change,
         coalesce(sum(sign) FILTER (WHERE value IS NOT NULL), 0)::int AS valued,
         coalesce(sum(sign * value), 0) AS total
  FROM (%s) AS rows GROUP BY 1, 2, 3) AS new
ON kept.layer_id = $1 AND kept.day = new.day AND kept.cell = new.cell
  AND kept.category = new.category
WHEN MATCHED AND new.change = 0 AND new.valued = 0 AND new.total = 0 THEN DO NOTHING
WHEN MATCHED AND kept.count + new.change = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET count = kept.count + new.change,
  valued = kept.valued + new.valued, total = kept.total + new.total
WHEN NOT MATCHED AND new.change = 0 THEN DO NOTHING
WHEN NOT MATCHED THEN INSERT (layer_id, day, cell, category, count, valued, total)
  VALUES ($1, new.day, new.cell, new.category, new.change, new.valued, new.total)
$q$, rows) $$;

CREATE OR REPLACE FUNCTION gis.merge_hexes(rows text) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT format($q$
WITH finest AS MATERIALIZED (
  SELECT gis.h3_parent(h3, 10) AS cell, category, sum(sign) AS change,
         coalesce(sum(sign) FILTER (WHERE value IS NOT NULL), 0) AS valued,
         coalesce(sum(sign * value), 0) AS total
  FROM (%s) AS rows GROUP BY 1, 2)
MERGE INTO gis.hex_count AS kept
USING (
  SELECT resolution, gis.h3_parent(cell, resolution) AS cell, category,
         sum(change)::int AS change, sum(valued)::int AS valued, sum(total) AS total
  FROM finest CROSS JOIN generate_series(5, 10) AS resolution
  GROUP BY 1, 2, 3) AS new
ON kept.layer_id = $1 AND kept.resolution = new.resolution AND kept.cell = new.cell
  AND kept.category = new.category
WHEN MATCHED AND new.change = 0 AND new.valued = 0 AND new.total = 0 THEN DO NOTHING
WHEN MATCHED AND kept.count + new.change = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET count = kept.count + new.change,
  valued = kept.valued + new.valued, total = kept.total + new.total
WHEN NOT MATCHED AND new.change = 0 THEN DO NOTHING
WHEN NOT MATCHED THEN INSERT (layer_id, resolution, cell, category, count, valued, total)
  VALUES ($1, new.resolution, new.cell, new.category, new.change, new.valued, new.total)
$q$, rows) $$;

-- As before; the arguments of a trigger are the layer, its category and its measure, in this
-- order. An empty category is none.
CREATE OR REPLACE FUNCTION gis.count_hexes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  category text := nullif(TG_ARGV[1], '');
  measure text := TG_ARGV[2];
  rows text;
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
  EXECUTE gis.merge_hex_days(rows) USING TG_ARGV[0];
  EXECUTE gis.merge_hexes(rows) USING TG_ARGV[0];
  RETURN NULL;
END $$;

-- From now on the rows of a layer are counted; those that are there are counted at once. Can be
-- repeated, also with another category or measure, which are names of columns.
CREATE FUNCTION gis.attach_hex_counts(
  layer_id text, category text DEFAULT NULL, measure text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  target text := format('layer.%I', layer_id);
  arguments text := concat_ws(', ', quote_literal(layer_id), quote_literal(coalesce(category, '')),
                              quote_literal(measure));
  rows text := gis.hex_rows(1, category, measure, target);
  event record;
BEGIN
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
  PERFORM gis.detach_hex_counts(layer_id);
  FOR event IN SELECT * FROM (VALUES
      ('INSERT', 'REFERENCING NEW TABLE AS new_rows'),
      ('UPDATE', 'REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows'),
      ('DELETE', 'REFERENCING OLD TABLE AS old_rows'),
      ('TRUNCATE', '')) AS events (name, tables)
  LOOP
    EXECUTE format(
      'CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION gis.count_hexes(%s)',
      'hexes_' || lower(event.name), event.name, target, event.tables, arguments);
  END LOOP;
  EXECUTE gis.merge_hex_days(rows) USING layer_id;
  EXECUTE gis.merge_hexes(rows) USING layer_id;
  INSERT INTO gis.hex_counted VALUES (layer_id, category, measure);
END $$;
