-- Measurements that were corrected, as they were before: only these, so that it stays small.
CREATE TABLE gis.measurement_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id text NOT NULL,
  station bigint NOT NULL,
  quantity text NOT NULL,
  measured_at timestamptz NOT NULL,
  value double precision NOT NULL,
  quality text NOT NULL,
  came_by bigint,
  load_id bigint,
  who text NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gis.measurement_history IS 'values of measurements before they were corrected';
COMMENT ON COLUMN gis.measurement_history.station IS 'id of the row of the layer';
COMMENT ON COLUMN gis.measurement_history.came_by IS 'the load that the earlier value came by';
COMMENT ON COLUMN gis.measurement_history.load_id IS 'the load that replaced it; null: it was reverted';
CREATE INDEX measurement_history_of_load ON gis.measurement_history (load_id);
CREATE INDEX measurement_history_of_station
  ON gis.measurement_history (layer_id, station, quantity, measured_at);
