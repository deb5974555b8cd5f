-- Units through time as layers, whose files say `source: {connector: view}`.

-- The communes of today.
CREATE OR REPLACE VIEW layer.communes AS
  SELECT id, geom, code, name, full_name, name_en, kind, parent_code AS province_code, area_km2,
         valid_from, quality, source
  FROM gis.admin_unit
  WHERE level = 'commune' AND geom IS NOT NULL
    AND (valid_from IS NULL OR valid_from <= gis.today())
    AND (valid_to IS NULL OR gis.today() < valid_to);

-- Every unit with its days.
CREATE OR REPLACE VIEW layer.admin_units AS
  SELECT id, geom, code, name, full_name, name_en, kind, level, parent_code, valid_from, valid_to,
         area_km2, quality, source
  FROM gis.admin_unit;

-- What became of districts and provinces, from what became of their communes. The share of a
-- district is that of its communes, each of them counted alike, and so estimated unless it is whole.
-- Ids of derived rows lie above those of gis.admin_change, which is far below 2^24.
CREATE OR REPLACE VIEW gis.unit_change AS
  WITH communes AS (
    SELECT c.changed_on, c.share_area, c.share_population, c.estimated, c.source,
           o.id AS old_unit, o.parent_code AS old_parent, n.id AS new_unit, n.parent_code AS new_parent
    FROM gis.admin_change c
    JOIN gis.admin_unit o ON o.id = c.old_unit
    JOIN gis.admin_unit n ON n.id = c.new_unit),
  of_districts AS (
    SELECT c.*, d.id AS district, d.parent_code AS old_province
    FROM communes c
    JOIN gis.admin_unit d
      ON d.level = 'district' AND d.code = c.old_parent AND d.valid_to = c.changed_on),
  sizes AS (
    SELECT district, old_province, changed_on, count(DISTINCT old_unit) AS communes
    FROM of_districts GROUP BY district, old_province, changed_on)
  SELECT c.id, c.old_unit, c.new_unit, c.changed_on, c.share_area, c.share_population,
         c.estimated, c.source
  FROM gis.admin_change c
  UNION ALL
  SELECT (c.district << 24) | c.new_unit, c.district, c.new_unit, c.changed_on,
         sum(c.share_area) / s.communes, sum(c.share_population) / s.communes,
         sum(c.share_area) < s.communes OR bool_or(c.estimated), min(c.source)
  FROM of_districts c JOIN sizes s USING (district, changed_on)
  GROUP BY c.district, c.new_unit, c.changed_on, s.communes
  UNION ALL
  SELECT (o.id << 24) | n.id, o.id, n.id, c.changed_on,
         sum(c.share_area) / s.communes, sum(c.share_population) / s.communes,
         sum(c.share_area) < s.communes OR bool_or(c.estimated), min(c.source)
  FROM of_districts c
  JOIN (SELECT old_province, changed_on, sum(communes) AS communes FROM sizes
        GROUP BY old_province, changed_on) AS s USING (old_province, changed_on)
  JOIN gis.admin_unit o
    ON o.level = 'province' AND o.code = c.old_province AND o.valid_to = c.changed_on
  JOIN gis.admin_unit n
    ON n.level = 'province' AND n.code = c.new_parent AND n.valid_from = c.changed_on
  GROUP BY o.id, n.id, c.changed_on, s.communes;

CREATE OR REPLACE VIEW layer.admin_changes AS
  SELECT c.id, o.code AS old_code, o.full_name AS old_name, n.code AS new_code,
         n.full_name AS new_name, c.changed_on, c.share_area, c.share_population, c.estimated,
         c.source, o.level AS old_level, n.level AS new_level
  FROM gis.unit_change c
  JOIN gis.admin_unit o ON o.id = c.old_unit
  JOIN gis.admin_unit n ON n.id = c.new_unit;
