-- The provincial systems VN-2000 / TM-3, EPSG:9205–9218, which PostGIS 3.3 lacks (9208, central
-- meridian 104°45', is Lào Cai's). Authority and code only: PROJ then takes the definition and the
-- datum from its own database; a proj4 text without towgs84 would be 223 m off, silently.
-- Newer PostGIS has rows of its own; they stay.

INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text)
SELECT code, 'EPSG', code, NULL, NULL FROM generate_series(9205, 9218) AS code
ON CONFLICT (srid) DO NOTHING;
