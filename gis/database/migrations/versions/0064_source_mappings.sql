-- A source that was entered before is read anew once.
ALTER TABLE gis.source ADD COLUMN mapping text NOT NULL DEFAULT '';
COMMENT ON COLUMN gis.source.mapping IS 'digest of how it is read; with another all is read again';
