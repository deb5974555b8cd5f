-- What the roles may do; run by gis_owner. Tables that layers add later get the same.

GRANT USAGE ON SCHEMA gis, layer TO gis_writer, gis_reader;
GRANT USAGE ON SCHEMA private TO gis_writer;

GRANT SELECT ON ALL TABLES IN SCHEMA gis, layer TO gis_reader;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA gis, layer, private TO gis_writer;

ALTER DEFAULT PRIVILEGES IN SCHEMA gis, layer GRANT SELECT ON TABLES TO gis_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA gis, layer, private
  GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON TABLES TO gis_writer;
