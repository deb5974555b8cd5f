-- Beneath the first migration: extensions, which only a superuser may add, and schemas, which are
-- handed to gis_owner.

CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

-- The provincial systems VN-2000 / TM-3, EPSG:9205–9218, which PostGIS 3.3 lacks (9208, central
-- meridian 104°45', is Lào Cai's). Authority and code only: PROJ then takes the definition and the
-- datum from its own database; a proj4 text without towgs84 would be 223 m off, silently.
-- Newer PostGIS has rows of its own; they stay.
INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text)
SELECT code, 'EPSG', code, NULL, NULL FROM generate_series(9205, 9218) AS code
ON CONFLICT (srid) DO NOTHING;

CREATE SCHEMA gis;      -- the state of the service
CREATE SCHEMA layer;    -- one table or view a layer
CREATE SCHEMA private;
COMMENT ON SCHEMA private IS 'Identities of reporters; no layer, tile or view reads from here.';

-- As Alembic makes it, whose own role could not: gis_owner has no right to schema public.
CREATE TABLE IF NOT EXISTS alembic_version (
  version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY
);
