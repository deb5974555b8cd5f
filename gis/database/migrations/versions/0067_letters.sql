-- Who answers for the data of a department, and has a letter about them each week.
CREATE TABLE private.steward (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  department text NOT NULL,
  address text NOT NULL,
  language text NOT NULL CHECK (language IN ('vi', 'en')),
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  ended_at timestamptz
);
CREATE UNIQUE INDEX steward_once ON private.steward (department, address) WHERE ended_at IS NULL;
COMMENT ON COLUMN private.steward.department IS 'in Vietnamese, as the layer files write it';

-- One letter a steward and week, however often it is tried.
CREATE TABLE gis.letter (
  week date NOT NULL,
  steward_id bigint NOT NULL REFERENCES private.steward (id),
  key uuid NOT NULL DEFAULT gen_random_uuid(),
  state text NOT NULL DEFAULT 'waiting'
    CHECK (state IN ('waiting', 'sent', 'silent', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL DEFAULT now(),
  error text NOT NULL DEFAULT '',
  ended_at timestamptz,
  PRIMARY KEY (week, steward_id)
);
COMMENT ON COLUMN gis.letter.week IS 'the Monday with which the week begins that it is about';
