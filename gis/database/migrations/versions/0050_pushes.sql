-- A body may be loaded by a job after it was answered with 202: its answer is then kept here too.

ALTER TABLE gis.pushed DROP CONSTRAINT pushed_pkey;
ALTER TABLE gis.pushed
  ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ADD COLUMN job bigint, -- that loads it; NULL: it was loaded before it was answered
  ADD CONSTRAINT pushed_key UNIQUE (layer_id, who, key);
ALTER TABLE gis.pushed ALTER COLUMN key DROP NOT NULL; -- NULL: it came without an Idempotency-Key

-- Bodies that wait for their job: they may hold what is personal, and go when they are loaded.
CREATE TABLE private.pushed_body (
  pushed  bigint PRIMARY KEY REFERENCES gis.pushed ON DELETE CASCADE,
  name    text NOT NULL,  -- of the file
  content bytea NOT NULL,
  options jsonb NOT NULL
);

-- Undeclared cells are kept for some days after their sender last sent them.
ALTER TABLE private.undeclared ADD COLUMN sent_at timestamptz NOT NULL DEFAULT now();
UPDATE private.undeclared SET sent_at = created_at;
