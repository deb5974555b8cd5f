-- A layer's state holds the day on which the calendar last changed its rows. It held the day of today,
-- so that at each midnight all tiles were made anew though nothing had changed.

-- Rows of a table change with its version alone; a view may follow the calendar.
ALTER TABLE gis.layer ADD is_view boolean NOT NULL
  GENERATED ALWAYS AS (coalesce(definition #>> '{source,connector}' = 'view', false)) STORED;

CREATE INDEX admin_unit_from ON gis.admin_unit (valid_from)
  WHERE level = 'commune' AND geom IS NOT NULL;
CREATE INDEX admin_unit_to ON gis.admin_unit (valid_to)
  WHERE level = 'commune' AND geom IS NOT NULL;

-- The stamp of simplified shapes names their tolerance too: none that is kept has it.
DELETE FROM gis.simplified_layer;
