-- Communes and hexes of the rows of layers of lines and areas, kept by statement triggers inside the
-- transaction that changes the rows. Attached to each such layer's table by layers (see
-- layers/storage/sync.py).

-- The communes of today that hold a part of a line or area, with their shares of its length or area
-- (0–1). What only touches a border has no part there; across the border of the province the shares
-- add up to less than 1. A shape with a vertex off the earth, as an old table may hold until it is
-- checked, has none.
CREATE OR REPLACE FUNCTION gis.unit_shares(geom geometry)
RETURNS TABLE (commune text, share double precision) LANGUAGE sql STABLE AS
$$ SELECT code, least(share, 1) FROM (
     SELECT c.code, CASE
       WHEN ST_CoveredBy($1, c.geom) THEN 1
       WHEN ST_Dimension($1) = 2 THEN ST_Area(ST_Intersection(c.geom, $1)::geography)
         / nullif(ST_Area($1::geography), 0)
       ELSE ST_Length(ST_Intersection(c.geom, $1)::geography) / nullif(ST_Length($1::geography), 0)
     END AS share
     FROM layer.communes c
     WHERE ST_Intersects(c.geom, CASE WHEN gis.is_on_earth($1) THEN $1 END)) AS parts
   WHERE share > 1e-9 $$;

-- The argument of the trigger is the layer. Rows whose shape did not change keep their shares.
CREATE OR REPLACE FUNCTION gis.keep_unit_shares() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  units text := format('layer.%I', TG_ARGV[0] || '_units');
  changed text := CASE TG_OP WHEN 'INSERT' THEN 'SELECT id, geom FROM new_rows' ELSE
    'SELECT n.id, n.geom FROM new_rows n LEFT JOIN old_rows o USING (id)'
    ' WHERE n.geom IS DISTINCT FROM o.geom' END;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    EXECUTE format('DELETE FROM %s', units);
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    EXECUTE format('DELETE FROM %s AS kept USING (%s) AS gone WHERE kept.id = gone.id', units,
      CASE TG_OP WHEN 'DELETE' THEN 'SELECT id FROM old_rows' ELSE changed END);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    EXECUTE format('INSERT INTO %s (id, commune, share) SELECT n.id, s.commune, s.share'
                   ' FROM (%s) AS n CROSS JOIN LATERAL gis.unit_shares(n.geom) AS s', units, changed);
  END IF;
  RETURN NULL;
END $$;

-- The shares of all rows of a layer, anew: after other boundaries.
CREATE OR REPLACE FUNCTION gis.refresh_unit_shares(layer_id text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('DELETE FROM layer.%I', layer_id || '_units');
  EXECUTE format('INSERT INTO layer.%1$I (id, commune, share) SELECT t.id, s.commune, s.share'
                 ' FROM layer.%2$I t CROSS JOIN LATERAL gis.unit_shares(t.geom) AS s',
                 layer_id || '_units', layer_id);
END $$;

-- From now on the communes of a layer's rows are kept in layer.<id>_units; those of rows that are
-- there are found at once.
CREATE OR REPLACE FUNCTION gis.attach_unit_shares(layer_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  target text := format('layer.%I', layer_id);
  units text := format('layer.%I', layer_id || '_units');
BEGIN
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
  EXECUTE format('CREATE TABLE %s (id bigint NOT NULL, commune text NOT NULL,'
                 ' share double precision NOT NULL, PRIMARY KEY (id, commune))', units);
  EXECUTE format('CREATE INDEX ON %s (commune)', units);
  PERFORM gis.attach_triggers(layer_id, 'units', 'gis.keep_unit_shares');
  PERFORM gis.refresh_unit_shares(layer_id);
END $$;

-- The argument of the trigger is the layer. PostgreSQL knows no H3: of a shape that is new or another
-- the cover goes, and the row waits in gis.uncovered_shape for layers/storage/covers.py. The row of
-- gis.layer is locked first, so that no cover of the old shape is stored afterwards.
CREATE OR REPLACE FUNCTION gis.uncover_shapes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  covers text := format('layer.%I', TG_ARGV[0] || '_hexes');
  changed text := CASE TG_OP
    WHEN 'INSERT' THEN 'SELECT id, geom FROM new_rows'
    WHEN 'UPDATE' THEN 'SELECT n.id, n.geom FROM new_rows n LEFT JOIN old_rows o USING (id)'
                       ' WHERE n.geom IS DISTINCT FROM o.geom'
    WHEN 'DELETE' THEN 'SELECT id, geom FROM old_rows' END;
BEGIN
  PERFORM FROM gis.layer WHERE id = TG_ARGV[0] FOR NO KEY UPDATE;
  IF TG_OP = 'TRUNCATE' THEN
    EXECUTE format('DELETE FROM %s', covers);
    DELETE FROM gis.uncovered_shape WHERE layer_id = TG_ARGV[0];
    RETURN NULL;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    EXECUTE format('DELETE FROM %s AS kept USING (%s) AS gone WHERE kept.id = gone.id', covers, changed);
    EXECUTE format('DELETE FROM gis.uncovered_shape AS kept USING (%s) AS gone'
                   ' WHERE kept.layer_id = $1 AND kept.row_id = gone.id', changed) USING TG_ARGV[0];
  END IF;
  IF TG_OP <> 'DELETE' THEN
    EXECUTE format('INSERT INTO gis.uncovered_shape SELECT $1, n.id FROM (%s) AS n'
                   ' WHERE n.geom IS NOT NULL', changed) USING TG_ARGV[0];
  END IF;
  RETURN NULL;
END $$;

-- From now on the hexes of a layer's rows are kept in layer.<id>_hexes, down to a resolution; all rows
-- that are there wait for their covers. Can be repeated, with another resolution.
CREATE OR REPLACE FUNCTION gis.attach_hex_cover(layer_id text, resolution int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  target text := format('layer.%I', layer_id);
  covers text := format('layer.%I', layer_id || '_hexes');
BEGIN
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
  PERFORM gis.detach_hex_counts(layer_id);
  EXECUTE format('CREATE TABLE %s (id bigint NOT NULL, cell bigint NOT NULL,'
                 ' share double precision NOT NULL, size double precision NOT NULL,'
                 ' PRIMARY KEY (id, cell))', covers);
  EXECUTE format('CREATE INDEX ON %s (cell) INCLUDE (id, size)', covers);
  PERFORM gis.attach_triggers(layer_id, 'hexes', 'gis.uncover_shapes');
  EXECUTE format('INSERT INTO gis.uncovered_shape SELECT $1, id FROM %s WHERE geom IS NOT NULL', target)
    USING layer_id;
  INSERT INTO gis.hex_counted (layer_id, resolution) VALUES (layer_id, resolution);
END $$;
