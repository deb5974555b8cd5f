-- Days are those of the country: a decree of 1 May holds there seven hours before it does in UTC.
CREATE FUNCTION gis.today() RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT (now() AT TIME ZONE interval '7 hours')::date $$;

CREATE OR REPLACE VIEW layer.communes AS
  SELECT id, geom, code, name, full_name, name_en, kind, parent_code AS province_code, area_km2,
         valid_from, quality, source
  FROM gis.admin_unit
  WHERE level = 'commune' AND geom IS NOT NULL
    AND (valid_from IS NULL OR valid_from <= gis.today())
    AND (valid_to IS NULL OR gis.today() < valid_to);
