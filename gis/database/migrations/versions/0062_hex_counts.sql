-- They take one argument more now (functions/hexes.sql).
DROP FUNCTION IF EXISTS gis.merge_hex_days(text);
DROP FUNCTION IF EXISTS gis.merge_hexes(text);
