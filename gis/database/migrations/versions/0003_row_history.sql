-- Edits of single rows are kept with what was there before, and can be undone. And accents: the
-- search key loses those of every language written in Latin letters, not of Vietnamese alone.

-- The letters without their marks: `Đồn Đạc` → `Don Dac`; case and spaces are kept. The same as
-- gis.text.without_diacritics in Python, for the marks that European and Vietnamese letters bear.
CREATE FUNCTION gis.without_accents(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT normalize(translate(normalize(value, NFD), 'đĐ' ||
     U&'\0300\0301\0302\0303\0304\0306\0307\0308\0309\030A\030B\030C\031B\0323\0326\0327\0328\0331',
     'dD'), NFC) $$;

-- Lower case by the rules of Unicode, whatever the database's own collation is.
CREATE FUNCTION gis.lower_case(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT lower(normalize(value, NFC) COLLATE "vi-x-icu") $$;

CREATE OR REPLACE FUNCTION gis.search_key(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT lower(btrim(regexp_replace(gis.without_accents(value), '\s+', ' ', 'g'))
     COLLATE "vi-x-icu") $$;

DO $$
DECLARE found record;
BEGIN
  FOR found IN SELECT schemaname, indexname FROM pg_indexes
               WHERE schemaname IN ('gis', 'layer') AND indexdef LIKE '%search_key(%' LOOP
    EXECUTE format('REINDEX INDEX %I.%I', found.schemaname, found.indexname);
  END LOOP;
END $$;

-- One change of one row by a person: who, when, and the whole row before it (NULL: it was added).
-- The geometry is kept as EWKB in hexadecimal digits, so that nothing is rounded.
CREATE TABLE gis.row_history (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  layer_id text NOT NULL,
  row_id   bigint NOT NULL,
  act      text NOT NULL CHECK (act IN ('add', 'replace', 'update', 'delete', 'revert')),
  at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  who      text NOT NULL,
  before   jsonb
);
CREATE INDEX row_history_row ON gis.row_history (layer_id, row_id, id);
