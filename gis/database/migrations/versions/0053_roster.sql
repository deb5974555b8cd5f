-- The duty roster. A load replaces a period; what it replaced stays, so that the load can be undone.
CREATE TABLE gis.duty_load (
  id bigint PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  who text NOT NULL,
  file text NOT NULL,
  since timestamptz NOT NULL,
  until timestamptz NOT NULL CHECK (until > since),
  added int NOT NULL,
  replaced int NOT NULL,
  undone_at timestamptz,
  undone_by text
);

CREATE TABLE gis.duty (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  load_id bigint NOT NULL REFERENCES gis.duty_load (id),
  replaced_by bigint REFERENCES gis.duty_load (id),
  line int NOT NULL,
  who text NOT NULL CHECK (who <> ''),
  since timestamptz NOT NULL,
  until timestamptz NOT NULL CHECK (until > since),
  communes text[] NOT NULL,
  layers text[] NOT NULL,
  categories text[] NOT NULL,
  channel text NOT NULL
);
CREATE INDEX duty_in_force ON gis.duty (since, until) WHERE replaced_by IS NULL;
COMMENT ON COLUMN gis.duty.communes IS 'codes of today; empty, as layers and categories: all';
COMMENT ON COLUMN gis.duty.replaced_by IS 'the load by which it is in force no more; its own: undone';

ALTER TABLE gis.subscription
  ADD COLUMN on_duty boolean NOT NULL DEFAULT false,
  ADD COLUMN person text NOT NULL DEFAULT '';
COMMENT ON COLUMN gis.subscription.on_duty IS 'notified only while its person is on duty';
COMMENT ON COLUMN gis.subscription.person IS 'as the roster names who it belongs to; empty: its name';
