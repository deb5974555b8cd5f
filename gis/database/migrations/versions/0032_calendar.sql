-- A layer's state holds the day on which the calendar last changed its rows. It held the day of today,
-- so that at each midnight all tiles were made anew though nothing had changed.

-- Rows of a table change with its version alone; a view may follow the calendar.
ALTER TABLE gis.layer ADD is_view boolean NOT NULL
  GENERATED ALWAYS AS (coalesce(definition #>> '{source,connector}' = 'view', false)) STORED;

CREATE INDEX admin_unit_from ON gis.admin_unit (valid_from)
  WHERE level = 'commune' AND geom IS NOT NULL;
CREATE INDEX admin_unit_to ON gis.admin_unit (valid_to)
  WHERE level = 'commune' AND geom IS NOT NULL;

-- The day on which the calendar alone last changed the rows of a view; '-infinity': it never does.
-- A view that is not known here may show other rows each day.
CREATE FUNCTION gis.changed_by_calendar(view_id text) RETURNS date
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
  IF view_id = 'communes' THEN
    RETURN greatest(
      '-infinity'::date,
      (SELECT max(valid_from) FROM gis.admin_unit
       WHERE level = 'commune' AND geom IS NOT NULL AND valid_from <= gis.today()),
      (SELECT max(valid_to) FROM gis.admin_unit
       WHERE level = 'commune' AND geom IS NOT NULL AND valid_to <= gis.today()));
  ELSIF view_id IN ('admin_changes', 'admin_units', 'alerts', 'clusters', 'emerging', 'hotspots',
                    'local_moran', 'series') THEN
    RETURN '-infinity';
  END IF;
  RETURN gis.today();
END $$;

-- The stamp of simplified shapes names their tolerance too: none that is kept has it.
DELETE FROM gis.simplified_layer;
