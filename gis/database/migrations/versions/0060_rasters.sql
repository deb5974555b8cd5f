-- Raster layers as they are published, and the files of their steps of time.
CREATE TABLE gis.raster_layer (
  id text PRIMARY KEY,
  digest text NOT NULL,
  definition jsonb NOT NULL,
  published boolean NOT NULL DEFAULT true,
  version bigint NOT NULL DEFAULT 1,
  changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN gis.raster_layer.version IS 'rises with each change of the file or of the rasters';

CREATE TABLE gis.raster (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id text NOT NULL REFERENCES gis.raster_layer (id),
  starts_at timestamptz,
  ends_at timestamptz CHECK (ends_at >= starts_at AND (ends_at IS NULL) = (starts_at IS NULL)),
  file text NOT NULL UNIQUE,
  crs text NOT NULL,
  width int NOT NULL CHECK (width > 0),
  height int NOT NULL CHECK (height > 0),
  west double precision NOT NULL,
  north double precision NOT NULL,
  pixel_x double precision NOT NULL CHECK (pixel_x > 0),
  pixel_y double precision NOT NULL CHECK (pixel_y > 0),
  dtype text NOT NULL,
  nodata double precision,
  statistics jsonb NOT NULL,
  bytes bigint NOT NULL,
  source text NOT NULL,
  simulated boolean NOT NULL DEFAULT false,
  added_at timestamptz NOT NULL DEFAULT now(),
  added_by text NOT NULL,
  outdated_at timestamptz
);
CREATE UNIQUE INDEX raster_current ON gis.raster (layer_id, starts_at) NULLS NOT DISTINCT
  WHERE outdated_at IS NULL;
COMMENT ON TABLE gis.raster IS 'one step of a raster layer, or its only raster';
COMMENT ON COLUMN gis.raster.file IS 'name in the folder of rasters; its content never changes';
COMMENT ON COLUMN gis.raster.outdated_at IS 'when it was replaced or removed: its file goes later';
