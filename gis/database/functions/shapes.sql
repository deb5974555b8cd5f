-- Communes of the rows of layers of lines and areas, kept by statement triggers inside the transaction
-- that changes the rows. Attached to each such layer's table by layers (see layers/storage/sync.py).

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
  event record;
BEGIN
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
  EXECUTE format('CREATE TABLE %s (id bigint NOT NULL, commune text NOT NULL,'
                 ' share double precision NOT NULL, PRIMARY KEY (id, commune))', units);
  EXECUTE format('CREATE INDEX ON %s (commune)', units);
  FOR event IN SELECT * FROM (VALUES
      ('INSERT', 'REFERENCING NEW TABLE AS new_rows'),
      ('UPDATE', 'REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows'),
      ('DELETE', 'REFERENCING OLD TABLE AS old_rows'),
      ('TRUNCATE', '')) AS events (name, tables)
  LOOP
    EXECUTE format(
      'CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT'
      ' EXECUTE FUNCTION gis.keep_unit_shares(%L)',
      'units_' || lower(event.name), event.name, target, event.tables, layer_id);
  END LOOP;
  PERFORM gis.refresh_unit_shares(layer_id);
END $$;
