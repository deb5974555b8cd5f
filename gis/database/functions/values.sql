-- Functions of values alone: text, days, H3 cells, Web Mercator, tiers. They are made before the
-- tables, so that columns, indexes, checks and migrations may use them. Indexes and stored columns
-- hold what they gave: a migration that changes one of these renews them.

-- The letters without their marks: `Đồn Đạc` → `Don Dac`; case and spaces are kept. The same as
-- gis.text.without_diacritics in Python, for the marks that European and Vietnamese letters bear.
CREATE OR REPLACE FUNCTION gis.without_accents(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT normalize(translate(normalize(value, NFD), 'đĐ' ||
     U&'\0300\0301\0302\0303\0304\0306\0307\0308\0309\030A\030B\030C\031B\0323\0326\0327\0328\0331',
     'dD'), NFC) $$;

-- The key by which names are searched: no marks, lower case, single blanks; the same as
-- gis.text.search_key in Python. Of Vietnamese letters, ASCII and single blanks only ASCII is left,
-- which needs no composition: half of the time for the indexes of most texts.
CREATE OR REPLACE FUNCTION gis.search_key(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT lower(btrim(CASE
     WHEN value ~ '^[ -~À-ÃÈ-ÊÌÍÒ-ÕÙÚÝà-ãè-êìíò-õùúýĂăĐđĨĩŨũƠơƯưẠ-ỹ]*$' AND strpos(value, '  ') = 0
     THEN translate(normalize(value, NFD), 'đĐ' || U&'\0300\0301\0302\0303\0306\0309\031B\0323', 'dD')
     ELSE regexp_replace(gis.without_accents(value), '\s+', ' ', 'g')
   END) COLLATE "vi-x-icu") $$;

-- Lower case by the rules of Unicode, whatever the database's own collation is.
CREATE OR REPLACE FUNCTION gis.lower_case(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT lower(normalize(value, NFC) COLLATE "vi-x-icu") $$;

-- The day on which something happened, in the country's time, as people there would say it.
CREATE OR REPLACE FUNCTION gis.day_of(at timestamptz) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT coalesce((at AT TIME ZONE interval '7 hours')::date, '-infinity'::date) $$;

-- Days are those of the country: a decree of 1 May holds there seven hours before it does in UTC.
CREATE OR REPLACE FUNCTION gis.today() RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT (now() AT TIME ZONE interval '7 hours')::date $$;

-- The H3 ancestor at a coarser resolution: the resolution bits (52–55) are set and each finer
-- digit (3 bits) is filled with 7. H3 index layout: https://h3geo.org/docs/core-library/h3Indexing
CREATE OR REPLACE FUNCTION gis.h3_parent(cell bigint, resolution int) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT (cell & ~(15::bigint << 52)) | (resolution::bigint << 52)
        | ((1::bigint << (3 * (15 - resolution))) - 1) $$;

-- The resolution of a cell, 0 to 15.
CREATE OR REPLACE FUNCTION gis.h3_resolution(cell bigint) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT ((cell >> 52) & 15)::int $$;

-- The 15-digit hexadecimal form of a cell, as every client writes it.
CREATE OR REPLACE FUNCTION gis.h3_text(cell bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT to_hex(cell) $$;

-- Spherical Mercator (Snyder 1987, Map Projections, eq. 7-1 and 7-2), from degrees to metres.
CREATE OR REPLACE FUNCTION gis.mercator_x(lon double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT 6378137 * radians(lon) $$;

CREATE OR REPLACE FUNCTION gis.mercator_y(lat double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT 6378137 * ln(tan(pi() / 4 + radians(greatest(least(lat, 89.9), -89.9)) / 2)) $$;

-- The rank of a tier: 1 watch, 2 alert, 3 urgent.
CREATE OR REPLACE FUNCTION gis.severity_rank(severity text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT array_position(ARRAY['watch', 'alert', 'urgent'], severity) $$;

-- A shape with a vertex that is no number or no place makes pages that are no JSON and archives that
-- cannot be written. The box of a shape passes over NaN; its length and perimeter do not, and to
-- PostgreSQL NaN is greater than infinity. The body is parsed here, so that it finds PostGIS whatever
-- the search path is when a dump is restored. Every layer table checks it (layers/storage/tables.py).
CREATE OR REPLACE FUNCTION gis.is_on_earth(shape geometry) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN shape IS NULL OR NOT ST_IsEmpty(shape)
  AND ST_XMin(shape) >= -180 AND ST_XMax(shape) <= 180
  AND ST_YMin(shape) >= -90 AND ST_YMax(shape) <= 90
  AND ST_Length(shape) + ST_Perimeter(shape) < 'infinity'::float8;

-- One text for one reporter: a telephone number in any notation, else the words in lower case; NULL for
-- nobody.
CREATE OR REPLACE FUNCTION gis.reporter_of(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT nullif(CASE WHEN said ~ '^[\d\s.+()-]+$'
                     THEN regexp_replace(regexp_replace(said, '\D', '', 'g'), '^84', '0')
                     ELSE lower(btrim(said)) END, '')
$$;

-- Alerts of a rule are for operators alone, on every way out: the public is not told when nobody is on duty.
CREATE OR REPLACE FUNCTION gis.is_internal(rule text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT rule = 'duty_gap' $$;

-- A box that holds whatever lies within some metres of a shape (degrees, WGS 84), so that an index
-- finds it; somewhat wider, as edges are geodesics, which leave the box of their ends by up to 100 m
-- where they are 100 km long. A degree of latitude is at least 110,574 m. At the poles and across
-- 180° it holds all longitudes.
CREATE OR REPLACE FUNCTION gis.reach_anywhere(shape geometry, metres double precision)
RETURNS geometry LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS
$$ SELECT CASE
     WHEN abs_y + dy >= 89 OR west - dx < -180 OR east + dx > 180
     THEN ST_MakeEnvelope(-180, greatest(south - dy, -90), 180, least(north + dy, 90), 4326)
     ELSE ST_MakeEnvelope(west - dx, south - dy, east + dx, north + dy, 4326) END
   FROM (SELECT *, dy / cos(radians(least(abs_y + dy, 89))) AS dx FROM (
     SELECT ST_XMin(shape) AS west, ST_XMax(shape) AS east, ST_YMin(shape) AS south,
            ST_YMax(shape) AS north, greatest(abs(ST_YMin(shape)), abs(ST_YMax(shape))) AS abs_y,
            1.01 * metres / 110574 + 0.001 AS dy) AS extent) AS extent $$;

-- The same, as one expression that PostgreSQL writes into the statement: far from the poles and from
-- 180°, where a box is wider by 11° at most. It is called for each row of a join.
CREATE OR REPLACE FUNCTION gis.reach(shape geometry, metres double precision) RETURNS geometry
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE
     WHEN metres <= 200000 AND ST_YMin(shape) > -75 AND ST_YMax(shape) < 75
       AND ST_XMin(shape) > -165 AND ST_XMax(shape) < 165
     THEN ST_Expand(shape,
       (1.01 * metres / 110574 + 0.001) / cos(radians(
         greatest(abs(ST_YMin(shape)), abs(ST_YMax(shape))) + 1.01 * metres / 110574 + 0.001)),
       1.01 * metres / 110574 + 0.001)
     ELSE gis.reach_anywhere(shape, metres) END $$;
