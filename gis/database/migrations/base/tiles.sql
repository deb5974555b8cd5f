-- Derived from the rows of layers, for hexes and tiles: counts by cell, changed places, simplified
-- shapes. Written by the statement triggers of functions/hexes.sql and functions/tiles.sql, inside
-- the transaction that changes the rows: whoever sees the rows sees the counts.

-- Counts by H3 cell over all days. A row on a geocoder's default point, or without a point, is in
-- none of them. `total` is numeric, so that what is added and taken away again leaves nothing.
CREATE TABLE gis.hex_count (
  layer_id   text     NOT NULL,
  resolution smallint NOT NULL CHECK (resolution BETWEEN 5 AND 10),
  cell       bigint   NOT NULL,
  category   text     NOT NULL,   -- '': the layer has no category, or the row has none
  count      int      NOT NULL CHECK (count > 0),
  valued     int      NOT NULL DEFAULT 0 CHECK (valued BETWEEN 0 AND count),
  total      numeric  NOT NULL DEFAULT 0,  -- of the `valued` records that have a value
  PRIMARY KEY (layer_id, resolution, cell, category)
);

-- Counts by day only at resolution 10, from which a window of time is rolled up. Days at every
-- resolution were nine times the rows and four times slower to load. A query asks for the days of
-- some hexes of a layer, those of a tile or one and its trend: hence the order of the key.
CREATE TABLE gis.hex_day_count (
  layer_id text    NOT NULL,
  day      date    NOT NULL,     -- of Vietnam; '-infinity': the row has no time
  cell     bigint  NOT NULL,     -- at resolution 10
  category text    NOT NULL,
  count    int     NOT NULL CHECK (count > 0),
  valued   int     NOT NULL DEFAULT 0 CHECK (valued BETWEEN 0 AND count),
  total    numeric NOT NULL DEFAULT 0,
  PRIMARY KEY (layer_id, cell, day, category)
);

-- The layers whose rows are counted: the columns by which counts are kept apart, and whose sum is
-- kept.
CREATE TABLE gis.hex_counted (layer_id text PRIMARY KEY, category text, measure text);

-- The boxes that the change to a version touched, in degrees. NULL: it touched nothing on the map.
-- A version without a row here may have touched anything: a layer file, a TRUNCATE, a view.
CREATE TABLE gis.touched (
  layer_id text   NOT NULL,
  version  bigint NOT NULL,
  west     double precision,
  south    double precision,
  east     double precision,
  north    double precision
);
CREATE INDEX touched_version ON gis.touched (layer_id, version);

-- Rows by cell of the grid of web maps: 2^zoom columns and rows, counted from its middle to the
-- east and north. A row counts where the middle of its box lies. The sums are of metres × 100 in
-- EPSG:3857, whole numbers, so that what was added can be taken away without a rest.
CREATE TABLE gis.tile_count (
  layer_id text     NOT NULL,
  zoom     smallint NOT NULL,
  across   int      NOT NULL,
  up       int      NOT NULL,
  count    int      NOT NULL CHECK (count > 0),
  sum_x    bigint   NOT NULL,
  sum_y    bigint   NOT NULL,
  PRIMARY KEY (layer_id, zoom, across, up)
);

-- Polygons of a layer, simplified for a zoom as one coverage: neighbours keep a common border.
-- Written by tiles.coverage; of use only while `stamp` is the state of the layer.
CREATE TABLE gis.simplified_layer (layer_id text PRIMARY KEY, stamp text NOT NULL);
CREATE TABLE gis.simplified (
  layer_id text     NOT NULL REFERENCES gis.simplified_layer ON DELETE CASCADE,
  zoom     smallint NOT NULL,
  row_id   bigint   NOT NULL,
  shape    geometry(Geometry, 3857) NOT NULL,
  PRIMARY KEY (layer_id, zoom, row_id)
);
CREATE INDEX simplified_shape ON gis.simplified USING gist (layer_id, zoom, shape);
