-- Hexes that a method found which has no table of its own: a new method needs no migration.
CREATE TABLE gis.hex_result (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id         bigint NOT NULL REFERENCES gis.hotspot_run ON DELETE CASCADE,
  cell           bigint NOT NULL,
  geom           geometry(Polygon, 4326) NOT NULL,
  commune        text,
  result         jsonb NOT NULL,         -- the numbers of the method, by name
  explanation_vi text NOT NULL,
  explanation_en text NOT NULL,
  UNIQUE (run_id, cell)
);
CREATE INDEX hex_result_geom ON gis.hex_result USING gist (geom);

COMMENT ON COLUMN gis.hotspot_run.method IS 'a name of the registry in layers/detect/methods';
