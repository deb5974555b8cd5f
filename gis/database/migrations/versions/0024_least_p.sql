-- Alarms come from any look of a day: its least p is kept beside that of the last.

ALTER TABLE gis.alert_look ADD COLUMN least_p double precision;
UPDATE gis.alert_look SET least_p = p;
