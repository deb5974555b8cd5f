-- Inhabitants by H3 cell, of the province alone, at resolutions 5 to 10: a coarser cell is the sum of
-- those within it. The resolution is a part of the cell's number, so cells of one sort together.

CREATE TABLE gis.population (
  cell   bigint PRIMARY KEY,
  people double precision NOT NULL CHECK (people > 0)
);

-- Where they come from; one row, or none.
CREATE TABLE gis.population_source (
  only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  source    text NOT NULL,
  year      int,                         -- that the numbers are of, when known
  quality   text NOT NULL CHECK (quality IN ('gridded', 'approximate')),
  people    double precision NOT NULL,
  loaded_at timestamptz NOT NULL DEFAULT now()
);
