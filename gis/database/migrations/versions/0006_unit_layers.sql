-- Units through time as layers: every unit with its days, and what became of each.

CREATE VIEW layer.admin_units AS
  SELECT id, geom, code, name, full_name, name_en, kind, level, parent_code, valid_from, valid_to,
         area_km2, quality, source
  FROM gis.admin_unit;

CREATE VIEW layer.admin_changes AS
  SELECT c.id, o.code AS old_code, o.full_name AS old_name, n.code AS new_code,
         n.full_name AS new_name, c.changed_on, c.share_area, c.share_population, c.estimated,
         c.source
  FROM gis.admin_change c
  JOIN gis.admin_unit o ON o.id = c.old_unit
  JOIN gis.admin_unit n ON n.id = c.new_unit;

CREATE TRIGGER version_of_units AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.admin_unit
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('admin_units');
CREATE TRIGGER version_of_changes AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.admin_change
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('admin_changes');
