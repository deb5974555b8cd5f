-- Counts of a layer's rows by H3 cell, kept by statement triggers inside the transaction that
-- changes the rows: whoever sees the rows sees the counts. A row on a geocoder's default point, or
-- without a point, is in none of them.
-- By day only at resolution 10, from which a window of time is rolled up; over all days at every
-- resolution. Days at every resolution were nine times the rows and four times slower to load.

CREATE TABLE gis.hex_count (
  layer_id   text     NOT NULL,
  resolution smallint NOT NULL CHECK (resolution BETWEEN 5 AND 10),
  cell       bigint   NOT NULL,
  category   text     NOT NULL,   -- '': the layer has no category, or the row has none
  count      int      NOT NULL CHECK (count > 0),
  PRIMARY KEY (layer_id, resolution, cell, category)
);

CREATE TABLE gis.hex_day_count (
  layer_id   text   NOT NULL,
  day        date   NOT NULL,     -- of Vietnam; '-infinity': the row has no time
  cell       bigint NOT NULL,     -- at resolution 10
  category   text   NOT NULL,
  count      int    NOT NULL CHECK (count > 0),
  PRIMARY KEY (layer_id, day, cell, category)
);

-- The layers whose rows are counted; `category` is the column by which counts are kept apart.
CREATE TABLE gis.hex_counted (layer_id text PRIMARY KEY, category text);

-- The day on which something happened, in the country's time, as people there would say it.
CREATE FUNCTION gis.day_of(at timestamptz) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT coalesce((at AT TIME ZONE interval '7 hours')::date, '-infinity'::date) $$;

-- A query of (sign, h3, category, day) for the rows of `source` that count. `source` is a name
-- that this file gave: a transition table, or an identifier already quoted.
CREATE FUNCTION gis.hex_rows(sign int, category text, source text) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT format(
     'SELECT %s AS sign, h3, %s AS category, gis.day_of(valid_at) AS day FROM %s'
     ' WHERE h3 IS NOT NULL AND NOT default_point',
     sign,
     CASE WHEN category IS NULL THEN $q$''$q$ ELSE format($q$coalesce(%I::text, '')$q$, category) END,
     source) $$;

-- The statements that add such signed rows to the counts of the layer $1.
CREATE FUNCTION gis.merge_hex_days(rows text) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT format($q$
MERGE INTO gis.hex_day_count AS kept
USING (
  SELECT day, gis.h3_parent(h3, 10) AS cell, category, sum(sign)::int AS change
  FROM (%s) AS rows GROUP BY 1, 2, 3 HAVING sum(sign) <> 0) AS new
ON kept.layer_id = $1 AND kept.day = new.day AND kept.cell = new.cell
  AND kept.category = new.category
WHEN MATCHED AND kept.count + new.change = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET count = kept.count + new.change
WHEN NOT MATCHED THEN INSERT VALUES ($1, new.day, new.cell, new.category, new.change)
$q$, rows) $$;

CREATE FUNCTION gis.merge_hexes(rows text) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT format($q$
WITH finest AS MATERIALIZED (
  SELECT gis.h3_parent(h3, 10) AS cell, category, sum(sign) AS change
  FROM (%s) AS rows GROUP BY 1, 2 HAVING sum(sign) <> 0)
MERGE INTO gis.hex_count AS kept
USING (
  SELECT resolution, gis.h3_parent(cell, resolution) AS cell, category, sum(change)::int AS change
  FROM finest CROSS JOIN generate_series(5, 10) AS resolution
  GROUP BY 1, 2, 3 HAVING sum(change) <> 0) AS new
ON kept.layer_id = $1 AND kept.resolution = new.resolution AND kept.cell = new.cell
  AND kept.category = new.category
WHEN MATCHED AND kept.count + new.change = 0 THEN DELETE
WHEN MATCHED THEN UPDATE SET count = kept.count + new.change
WHEN NOT MATCHED THEN INSERT VALUES ($1, new.resolution, new.cell, new.category, new.change)
$q$, rows) $$;

-- The row of gis.layer is locked first, so that writers of one layer wait here in one order and
-- never for each other's counts crosswise. EXECUTE plans each time: one row and a hundred thousand
-- want different plans.
CREATE FUNCTION gis.count_hexes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  rows text;
BEGIN
  PERFORM FROM gis.layer WHERE id = TG_ARGV[0] FOR NO KEY UPDATE;
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM gis.hex_count WHERE layer_id = TG_ARGV[0];
    DELETE FROM gis.hex_day_count WHERE layer_id = TG_ARGV[0];
    RETURN NULL;
  END IF;
  rows := CASE TG_OP
    WHEN 'INSERT' THEN gis.hex_rows(1, TG_ARGV[1], 'new_rows')
    WHEN 'DELETE' THEN gis.hex_rows(-1, TG_ARGV[1], 'old_rows')
    ELSE gis.hex_rows(1, TG_ARGV[1], 'new_rows')
      || ' UNION ALL ' || gis.hex_rows(-1, TG_ARGV[1], 'old_rows')
  END;
  EXECUTE gis.merge_hex_days(rows) USING TG_ARGV[0];
  EXECUTE gis.merge_hexes(rows) USING TG_ARGV[0];
  RETURN NULL;
END $$;

-- From now on the rows of a layer are counted; those that are there are counted at once. Can be
-- repeated, also with another category, which is the name of a column.
CREATE FUNCTION gis.attach_hex_counts(layer_id text, category text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  target text := format('layer.%I', layer_id);
  arguments text := concat_ws(', ', quote_literal(layer_id), quote_literal(category));
  rows text := gis.hex_rows(1, category, target);
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
  INSERT INTO gis.hex_counted VALUES (layer_id, category);
END $$;

-- The rows of a layer are no longer counted, and its counts are gone.
CREATE FUNCTION gis.detach_hex_counts(layer_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  event text;
BEGIN
  IF to_regclass(format('layer.%I', layer_id)) IS NOT NULL THEN
    FOREACH event IN ARRAY ARRAY['insert', 'update', 'delete', 'truncate'] LOOP
      EXECUTE format('DROP TRIGGER IF EXISTS %I ON layer.%I', 'hexes_' || event, layer_id);
    END LOOP;
  END IF;
  DELETE FROM gis.hex_count AS kept WHERE kept.layer_id = detach_hex_counts.layer_id;
  DELETE FROM gis.hex_day_count AS kept WHERE kept.layer_id = detach_hex_counts.layer_id;
  DELETE FROM gis.hex_counted AS kept WHERE kept.layer_id = detach_hex_counts.layer_id;
  UPDATE gis.layer SET version = version + 1, changed_at = now()
    WHERE id = detach_hex_counts.layer_id;
END $$;

-- Polygons of a layer, simplified for a zoom as one coverage: neighbours keep a common border.
-- Written by tiles.coverage; of use only while `stamp` is the state of the layer.
CREATE TABLE gis.simplified_layer (layer_id text PRIMARY KEY, stamp text NOT NULL);
CREATE TABLE gis.simplified (
  layer_id text     NOT NULL REFERENCES gis.simplified_layer ON DELETE CASCADE,
  zoom     smallint NOT NULL,
  row_id   bigint   NOT NULL,
  shape    geometry(Geometry, 3857) NOT NULL,
  PRIMARY KEY (layer_id, zoom, row_id)
);
CREATE INDEX simplified_shape ON gis.simplified USING gist (layer_id, zoom, shape);
