-- Communes of a decree whose day is still to come: what follows each, for alerts and their recipients.
CREATE TABLE gis.unit_succession (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "on"       date NOT NULL,
  code       text NOT NULL,
  name       text NOT NULL,
  successors jsonb NOT NULL
);
COMMENT ON TABLE gis.unit_succession IS 'communes that end or are cut on a day to come, and their successors by code';
