-- Layers, the loads of their rows, who may do what, and the identities of reporters.

-- A published layer and its version; each committed change of its rows raises the version.
CREATE TABLE gis.layer (
  id            text PRIMARY KEY,
  version       bigint NOT NULL DEFAULT 1,
  digest        text NOT NULL,           -- SHA-256 of the layer file
  definition    jsonb NOT NULL,
  published     boolean NOT NULL DEFAULT true,
  changed_at    timestamptz NOT NULL DEFAULT now(),
  placed_on     text,                    -- key of gis.cell_table on which its rows were placed; NULL: unknown
  archives_from bigint NOT NULL DEFAULT 0
);
-- Archives are files of one moment: those from before a layer was closed may hold what was found in
-- it, and are not handed out any more.
COMMENT ON COLUMN gis.layer.archives_from IS 'the least version of which an archive is handed out';

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
  answers    jsonb NOT NULL DEFAULT '{}', -- options with which its file was read, and is read again
  UNIQUE (layer_id, source, source_key)
);

-- One change of one row by a person: who, when, and the whole row before it (NULL: it was added).
-- The geometry is kept as EWKB in hexadecimal digits, so that nothing is rounded.
CREATE TABLE gis.row_history (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id text NOT NULL,
  row_id   bigint NOT NULL,
  act      text NOT NULL CHECK (act IN ('add', 'replace', 'update', 'delete', 'revert')),
  at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  who      text NOT NULL,
  before   jsonb
);
CREATE INDEX row_history_row ON gis.row_history (layer_id, row_id, id);

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

-- The reporter of a record. Read by the intake desk alone; each use is written to private.audit.
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
  id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at   timestamptz NOT NULL DEFAULT now(),
  who  text NOT NULL,
  act  text NOT NULL,
  what jsonb NOT NULL
);
