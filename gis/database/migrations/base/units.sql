-- Administrative units through time, what placing needs of them, and inhabitants.

-- A code means nothing without its dates.
CREATE TABLE gis.admin_unit (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  code        text NOT NULL,
  name        text NOT NULL,
  full_name   text NOT NULL,
  name_en     text NOT NULL DEFAULT '',
  kind        text NOT NULL,
  level       text NOT NULL CHECK (level IN ('province', 'district', 'commune')),
  valid_from  date,                      -- first day; NULL: start unknown
  valid_to    date,                      -- first day on which it is no more; NULL: in force
  parent_code text,
  aliases     text[] NOT NULL DEFAULT '{}',
  area_km2    double precision,          -- official area
  geom        geometry(MultiPolygon, 4326),
  source      text NOT NULL,
  quality     text NOT NULL CHECK (quality IN ('official', 'approximate')),
  search_key  text NOT NULL GENERATED ALWAYS AS (gis.search_key(full_name)) STORED,
  CHECK (valid_from IS NULL OR valid_to IS NULL OR valid_from < valid_to),
  EXCLUDE USING gist (code WITH =, level WITH =, daterange(valid_from, valid_to) WITH &&)
);
CREATE INDEX admin_unit_geom ON gis.admin_unit USING gist (geom);
CREATE INDEX admin_unit_search ON gis.admin_unit USING gin (search_key gin_trgm_ops);

-- The shares of a commune that went to each commune after it.
CREATE TABLE gis.admin_change (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  old_unit         bigint NOT NULL REFERENCES gis.admin_unit ON DELETE CASCADE,
  new_unit         bigint NOT NULL REFERENCES gis.admin_unit ON DELETE CASCADE,
  changed_on       date NOT NULL,
  share_area       double precision NOT NULL CHECK (share_area > 0 AND share_area <= 1),
  share_population double precision NOT NULL CHECK (share_population >= 0 AND share_population <= 1),
  estimated        boolean NOT NULL DEFAULT false,
  source           text NOT NULL,
  UNIQUE (old_unit, new_unit, changed_on)
);

-- The source of the boundaries in force; one row.
CREATE TABLE gis.boundary_state (
  only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  source    text NOT NULL,
  quality   text NOT NULL,
  digest    text NOT NULL,               -- SHA-256 over the loaded communes
  loaded_at timestamptz NOT NULL DEFAULT now()
);

-- The polygon table that placing reads, built from the communes in force (see gis.placing.cells).
CREATE TABLE gis.cell_table (
  digest   text PRIMARY KEY,
  content  bytea NOT NULL,
  built_at timestamptz NOT NULL DEFAULT now()
);

-- Landmarks and villages by name, loaded by the operator; placing uses those that addresses name.
CREATE TABLE gis.gazetteer (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name    text NOT NULL,
  kind    text NOT NULL DEFAULT '',
  geom    geometry(Point, 4326) NOT NULL,
  unit    text NOT NULL,                 -- code of the commune of today
  source  text NOT NULL,
  licence text NOT NULL,
  UNIQUE (name, source, geom)
);
CREATE INDEX gazetteer_geom ON gis.gazetteer USING gist (geom);

-- Inhabitants by H3 cell, of the province alone, at resolutions 5 to 10: a coarser cell is the sum
-- of those within it. The resolution is a part of the cell's number, so cells of one sort together.
CREATE TABLE gis.population (
  cell   bigint PRIMARY KEY,
  people double precision NOT NULL CHECK (people > 0)
);

-- The source of the inhabitants; one row, or none.
CREATE TABLE gis.population_source (
  only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  source    text NOT NULL,
  year      int,                         -- that the numbers are of, when known
  quality   text NOT NULL CHECK (quality IN ('gridded', 'approximate')),
  people    double precision NOT NULL,
  loaded_at timestamptz NOT NULL DEFAULT now()
);
