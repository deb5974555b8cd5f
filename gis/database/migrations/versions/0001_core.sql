-- The first schema: who may do what, units through time, layers, quarantine, hotspots, alerts.
-- Schemas: gis (the service's own state), layer (one table or view a layer), private (identities).

CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

CREATE SCHEMA gis;
CREATE SCHEMA layer;
CREATE SCHEMA private;
COMMENT ON SCHEMA private IS 'Identities of reporters; no layer, tile or view reads from here.';

-- unaccent() is only STABLE because a dictionary may change; ours never does. The same key as
-- gis.text.search_key in Python.
CREATE FUNCTION gis.search_key(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT lower(btrim(regexp_replace(normalize(translate(normalize(value, NFD),
     'đĐ' || U&'\0300\0301\0302\0303\0306\0309\031B\0323', 'dd'), NFC), '\s+', ' ', 'g'))
     COLLATE "vi-x-icu") $$;

-- The H3 ancestor at a coarser resolution: the resolution bits (52–55) are set and each finer
-- digit (3 bits) is filled with 7. H3 index layout: https://h3geo.org/docs/core-library/h3Indexing
CREATE FUNCTION gis.h3_parent(cell bigint, resolution int) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT (cell & ~(15::bigint << 52)) | (resolution::bigint << 52)
        | ((1::bigint << (3 * (15 - resolution))) - 1) $$;

CREATE FUNCTION gis.h3_resolution(cell bigint) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT ((cell >> 52) & 15)::int $$;

-- The 15-digit hexadecimal form of a cell, as every client writes it.
CREATE FUNCTION gis.h3_text(cell bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT to_hex(cell) $$;

-- Administrative units: a code means nothing without its dates.
CREATE TABLE gis.admin_unit (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  code        text NOT NULL,
  name        text NOT NULL,
  full_name   text NOT NULL,
  name_en     text NOT NULL DEFAULT '',
  kind        text NOT NULL,
  level       text NOT NULL CHECK (level IN ('province', 'district', 'commune')),
  valid_from  date,                      -- first day; NULL: start unknown
  valid_to    date,                      -- first day on which it is no more; NULL: lives
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

-- What the boundaries in force were made from; one row.
CREATE TABLE gis.boundary_state (
  only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  source     text NOT NULL,
  quality    text NOT NULL,
  digest     text NOT NULL,              -- SHA-256 over the loaded communes
  loaded_at  timestamptz NOT NULL DEFAULT now()
);

-- The polygon table that placing reads, built from the communes in force (see gis.placing.cells).
CREATE TABLE gis.cell_table (digest text PRIMARY KEY, content bytea NOT NULL, built_at timestamptz NOT NULL DEFAULT now());

-- A published layer and its version; each committed change of its rows raises the version.
CREATE TABLE gis.layer (
  id         text PRIMARY KEY,
  version    bigint NOT NULL DEFAULT 1,
  digest     text NOT NULL,              -- SHA-256 of the layer file
  definition jsonb NOT NULL,
  published  boolean NOT NULL DEFAULT true,
  changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION gis.raise_layer_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gis.layer SET version = version + 1, changed_at = now() WHERE id = TG_ARGV[0];
  RETURN NULL;
END $$;

-- One load of one file.
CREATE TABLE gis.load (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id    text NOT NULL,
  source      text NOT NULL,             -- name of the file or system, never a path
  sha256      text NOT NULL,
  loaded_at   timestamptz NOT NULL DEFAULT now(),
  loaded_by   text NOT NULL,
  read        int NOT NULL,
  added       int NOT NULL,
  updated     int NOT NULL,
  unchanged   int NOT NULL,
  outside     int NOT NULL,
  quarantined int NOT NULL,
  simulated   boolean NOT NULL DEFAULT false
);

-- Records that could not be placed or understood; nothing is dropped.
CREATE TABLE gis.quarantine (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id   text NOT NULL,
  source     text NOT NULL,
  source_key text NOT NULL,
  raw        jsonb NOT NULL,
  reason     text NOT NULL,              -- a word: outside, no_place, ambiguous_address, bad_date …
  why        text NOT NULL,              -- a sentence for a person, Vietnamese first
  status     text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'replayed', 'dropped')),
  created_at timestamptz NOT NULL DEFAULT now(),
  changed_at timestamptz NOT NULL DEFAULT now(),
  changed_by text,
  UNIQUE (layer_id, source, source_key)
);

-- Who reported what. Read by the intake desk alone; each use is written to private.audit.
CREATE TABLE private.reporter (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id   text NOT NULL,
  source     text NOT NULL,
  source_key text NOT NULL,
  details    jsonb NOT NULL,             -- the personal fields of the record (name, phone, e-mail)
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (layer_id, source, source_key)
);
CREATE TABLE private.audit (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at     timestamptz NOT NULL DEFAULT now(),
  who    text NOT NULL,
  act    text NOT NULL,
  what   jsonb NOT NULL
);

CREATE TABLE gis.api_key (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name       text NOT NULL,
  role       text NOT NULL CHECK (role IN ('department', 'operator', 'admin')),
  layers     text[] NOT NULL DEFAULT '{}',
  prefix     text NOT NULL UNIQUE,       -- public first part, to find the row
  hash       text NOT NULL,              -- SHA-256 of the whole key (256 random bits)
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz
);

-- Hotspot runs are repeatable: input version, parameters and code version are kept.
CREATE TABLE gis.hotspot_run (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id      text NOT NULL,
  method        text NOT NULL,
  parameters    jsonb NOT NULL,
  input_version bigint NOT NULL,
  input_until   timestamptz NOT NULL,    -- the end of the window
  code_version  text NOT NULL,
  cleaning      jsonb NOT NULL DEFAULT '{}',
  run_at        timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE gis.hotspot (
  run_id   bigint NOT NULL REFERENCES gis.hotspot_run ON DELETE CASCADE,
  cell     bigint NOT NULL,
  geom     geometry(Polygon, 4326) NOT NULL,
  commune  text,
  count    int NOT NULL,
  expected double precision NOT NULL,
  z        double precision,
  p        double precision NOT NULL,
  q        double precision NOT NULL,
  edge     boolean NOT NULL,
  PRIMARY KEY (run_id, cell)
);

CREATE TABLE gis.alert (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id        text NOT NULL,
  rule            text NOT NULL,
  status          text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'resolved')),
  severity        text NOT NULL CHECK (severity IN ('watch', 'alert', 'urgent')),
  headline_vi     text NOT NULL,
  headline_en     text NOT NULL,
  cells           bigint[] NOT NULL,
  communes        text[] NOT NULL,
  geom            geometry(MultiPolygon, 4326) NOT NULL,
  official        boolean NOT NULL,      -- false: raised on approximate boundaries
  simulated       boolean NOT NULL,
  evidence        jsonb NOT NULL,
  run_id          bigint REFERENCES gis.hotspot_run,
  opened_at       timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  acknowledged_at timestamptz,
  resolved_at     timestamptz
);
CREATE INDEX alert_live ON gis.alert (layer_id, rule) WHERE status <> 'resolved';
CREATE INDEX alert_geom ON gis.alert USING gist (geom);
CREATE TABLE gis.alert_event (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert_id bigint NOT NULL REFERENCES gis.alert ON DELETE CASCADE,
  at       timestamptz NOT NULL DEFAULT now(),
  who      text NOT NULL,
  act      text NOT NULL,
  note     text NOT NULL DEFAULT ''
);

-- Layers that the service itself writes are views; their files say `source: {connector: view}`.
CREATE VIEW layer.communes AS
  SELECT id, geom, code, name, full_name, name_en, kind, parent_code AS province_code, area_km2,
         valid_from, quality, source
  FROM gis.admin_unit
  WHERE level = 'commune' AND geom IS NOT NULL
    AND (valid_from IS NULL OR valid_from <= current_date)
    AND (valid_to IS NULL OR current_date < valid_to);

CREATE VIEW layer.hotspots AS
  WITH latest AS (
    SELECT DISTINCT ON (layer_id) * FROM gis.hotspot_run ORDER BY layer_id, run_at DESC, id DESC)
  SELECT h.cell AS id, h.geom, gis.h3_text(h.cell) AS cell, r.layer_id AS of_layer, h.commune,
         h.count, h.expected, h.z, h.p, h.q, h.edge, r.method, r.run_at, r.input_until AS valid_at
  FROM gis.hotspot h JOIN latest r ON r.id = h.run_id;

CREATE VIEW layer.alerts AS
  SELECT a.id, a.geom, a.layer_id AS of_layer, a.rule, a.status, a.severity, a.headline_vi,
         a.headline_en, array_to_string(a.communes, ' ') AS communes, a.official, a.simulated,
         a.opened_at AS valid_at, a.updated_at, a.acknowledged_at, a.resolved_at
  FROM gis.alert a;

CREATE TRIGGER version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.admin_unit
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('communes');
CREATE TRIGGER version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.hotspot
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('hotspots');
CREATE TRIGGER version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.alert
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('alerts');
