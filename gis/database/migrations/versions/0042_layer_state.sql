-- The days on which a view follows the calendar stand beside its version: to look them up took as long
-- as half of what else a cached tile asks.
ALTER TABLE gis.layer ADD calendar date[];
COMMENT ON COLUMN gis.layer.calendar IS
  'the days on which the calendar alone changes the rows of a view, in order, after -infinity';
DROP FUNCTION IF EXISTS gis.changed_by_calendar(text);
DROP INDEX gis.admin_unit_from, gis.admin_unit_to;
