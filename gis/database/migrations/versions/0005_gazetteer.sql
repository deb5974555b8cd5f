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
