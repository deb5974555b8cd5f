-- An approval that somebody took back: the alert is for the desk alone again.
ALTER TABLE gis.approval ADD COLUMN withdrawn_at timestamptz;
ALTER TABLE gis.approval ADD COLUMN withdrawn_by text;

-- Which alerts are approved as they open: one row, as the setting GIS_PUBLISH_ALERTS says.
CREATE TABLE gis.publication (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  publish  text NOT NULL DEFAULT 'approved' CHECK (publish IN ('approved', 'urgent', 'all'))
);
INSERT INTO gis.publication DEFAULT VALUES;
