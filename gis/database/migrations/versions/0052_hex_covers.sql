-- Rows of layers of lines and areas whose cover by hexes is to be found: their shape is new or another.
-- Whoever changed them fills it in the same transaction (layers/storage/covers.py); for what another
-- program changed the worker does. So that no count is wrong meanwhile, the old cover is gone.
CREATE TABLE gis.uncovered_shape (
  layer_id text   NOT NULL,
  row_id   bigint NOT NULL,
  PRIMARY KEY (layer_id, row_id)
);

-- Of a layer of lines or areas the finest resolution of its covers; NULL: a layer of points.
ALTER TABLE gis.hex_counted ADD COLUMN resolution smallint CHECK (resolution BETWEEN 5 AND 10);
