-- Which looks rest on simulated records: an alarm raised by these is none that a budget is held to,
-- and so neither are the days and p-values of such looks.
ALTER TABLE gis.alert_look ADD COLUMN simulated boolean NOT NULL DEFAULT false;
UPDATE gis.alert_look k SET simulated = r.simulated FROM gis.hotspot_run r WHERE r.id = k.run_id;
