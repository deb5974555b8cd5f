-- An alert that is part of a situation, which is an alert too; null: it stands by itself.
ALTER TABLE gis.alert ADD COLUMN within_id bigint REFERENCES gis.alert(id) ON DELETE SET NULL;
CREATE INDEX alert_within ON gis.alert (within_id) WHERE within_id IS NOT NULL;
