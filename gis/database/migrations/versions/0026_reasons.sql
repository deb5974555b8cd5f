-- A step that suppresses an alert says by which silence, or within which other alert; the text of
-- the history alone told.

ALTER TABLE gis.alert_event
  ADD COLUMN silence_id bigint REFERENCES gis.silence,
  ADD COLUMN within_id  bigint REFERENCES gis.alert ON DELETE SET NULL;

UPDATE gis.alert_event e SET silence_id = s.id
FROM gis.silence s
WHERE e.act = 'suppressed' AND e.note LIKE 'silence ' || s.id || ' of %';

UPDATE gis.alert_event e SET within_id = a.id
FROM gis.alert a
WHERE e.act = 'suppressed' AND e.note = 'within alert ' || a.id;
