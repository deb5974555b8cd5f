-- Measurements of layers with a section `series`: layer.<id>_measurements, a part a month. Attached by
-- layers/storage/sync.py.

-- The argument of the trigger is the layer. A station whose measurements are kept is not deleted: they
-- would be of nobody. One check a statement, where a foreign key would cost one a measurement.
CREATE OR REPLACE FUNCTION gis.keep_measured_stations() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  measured bigint;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    EXECUTE format('SELECT station FROM layer.%I LIMIT 1', TG_ARGV[0] || '_measurements') INTO measured;
  ELSE
    EXECUTE format('SELECT o.id FROM old_rows o WHERE EXISTS (SELECT FROM layer.%I m WHERE m.station = o.id)'
                   ' LIMIT 1', TG_ARGV[0] || '_measurements') INTO measured;
  END IF;
  IF measured IS NOT NULL THEN
    RAISE EXCEPTION 'station % of layer % has measurements: it stays', measured, TG_ARGV[0]
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;

-- From now on the layer has measurements. Times far apart lie in different parts, so that a question
-- about days reads a month; BRIN is for questions about all stations. Can be repeated.
CREATE OR REPLACE FUNCTION gis.attach_measurements(layer_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  target text := format('layer.%I', layer_id || '_measurements');
BEGIN
  IF to_regclass(target) IS NULL THEN
    EXECUTE format('CREATE TABLE %s (station bigint NOT NULL, quantity text NOT NULL,'
                   ' measured_at timestamptz NOT NULL, value double precision NOT NULL,'
                   ' quality text NOT NULL, load_id bigint,'
                   ' PRIMARY KEY (station, quantity, measured_at)) PARTITION BY RANGE (measured_at)', target);
    EXECUTE format('CREATE INDEX ON %s USING brin (measured_at)', target);
    EXECUTE format('COMMENT ON TABLE %s IS %L', target, 'measurements of the stations of layer ' || layer_id);
  END IF;
  EXECUTE format('CREATE OR REPLACE TRIGGER version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s'
                 ' FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version(%L)', target, layer_id);
  EXECUTE format('CREATE OR REPLACE TRIGGER stations_delete AFTER DELETE ON layer.%I'
                 ' REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT'
                 ' EXECUTE FUNCTION gis.keep_measured_stations(%L)', layer_id, layer_id);
  EXECUTE format('CREATE OR REPLACE TRIGGER stations_truncate BEFORE TRUNCATE ON layer.%I'
                 ' FOR EACH STATEMENT EXECUTE FUNCTION gis.keep_measured_stations(%L)', layer_id, layer_id);
END $$;

-- The part of a month, which begins at midnight in the country. ATTACH lets others read and write the
-- other parts meanwhile, which CREATE TABLE … PARTITION OF would not.
CREATE OR REPLACE FUNCTION gis.add_measurement_month(layer_id text, month date) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  target text := format('layer.%I', layer_id || '_measurements');
  part text := format('layer.%I', layer_id || '_measurements_' || to_char(month, 'YYYY_MM'));
BEGIN
  IF to_regclass(part) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', part, target);
  EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', target, part,
    month::timestamp AT TIME ZONE interval '7 hours',
    (month + interval '1 month')::timestamp AT TIME ZONE interval '7 hours');
END $$;
