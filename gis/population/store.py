"""The population by hex as it is kept: in the tables of 0019_population.sql."""

from dataclasses import asdict, dataclass
from enum import StrEnum

import numpy as np
from sqlalchemy import Connection, text

from gis.database.roles import as_owner
from gis.errors import NotFound
from gis.hexes import COARSEST, FINEST, Cells
from gis.population.pieces import Floats, PeopleByCell


class PopulationQuality(StrEnum):
    GRIDDED = "gridded"  # people by pixel
    APPROXIMATE = "approximate"  # people of communes, spread evenly over each


@dataclass(frozen=True, slots=True)
class Population:
    """Where the inhabitants are from, the year that they are of, and how many they are."""

    source: str
    year: int | None
    quality: PopulationQuality
    people: float


def store_population(connection: Connection, found: PeopleByCell, about: Population) -> None:
    """Replace the inhabitants; every layer that is counted by hex has changed then.

    `found` are cells of the finest resolution, each once.
    """
    _clear(connection)
    values = {"cells": found.cells.tolist(), "people": found.people.tolist()}
    connection.execute(_INSERT, values)
    connection.execute(_SUM, {"coarsest": COARSEST, "finest": FINEST})
    with as_owner(connection):  # ANALYZE passes over the tables of others
        connection.execute(_ANALYSE)
    connection.execute(_INSERT_SOURCE, asdict(about))
    connection.execute(_RAISE)


def drop_population(connection: Connection) -> None:
    """Forget the inhabitants. Raises NotFound when there are none."""
    required_population(connection)
    _clear(connection)
    connection.execute(_RAISE)


def required_population(connection: Connection) -> Population:
    """What is loaded. Raises NotFound when nothing is."""
    found = stored_population(connection)
    if found is None:
        raise NotFound("no population is loaded: run `gis population load FILE`")
    return found


def stored_population(connection: Connection) -> Population | None:
    """What is loaded; None where nothing is."""
    row = connection.execute(_SOURCE).one_or_none()
    if row is None:
        return None
    return Population(row.source, row.year, PopulationQuality(row.quality), row.people)


def people_of(connection: Connection, cells: Cells) -> Floats:
    """The inhabitants of each cell, of resolutions 5 to 10; 0 where nobody lives."""
    found = connection.scalar(_PEOPLE, {"cells": cells.tolist()})
    return np.frombuffer(found or b"", ">f8").astype(np.float64)


def _clear(connection: Connection) -> None:
    # Readers go on with what they see: they wait neither for this lock nor for a DELETE.
    for statement in (_LOCK, _DELETE, _DELETE_SOURCE):
        connection.execute(statement)


_LOCK = text("LOCK TABLE gis.population IN SHARE ROW EXCLUSIVE MODE")
_DELETE = text("DELETE FROM gis.population")
_DELETE_SOURCE = text("DELETE FROM gis.population_source")
_INSERT = text("""
INSERT INTO gis.population (cell, people)
SELECT * FROM unnest(CAST(:cells AS bigint[]), CAST(:people AS double precision[]))
""")
_SUM = text("""
INSERT INTO gis.population (cell, people)
SELECT gis.h3_parent(cell, resolution), sum(people)
FROM gis.population, generate_series(:coarsest, :finest - 1) AS resolution
GROUP BY 1
""")
_ANALYSE = text("ANALYZE gis.population")
_INSERT_SOURCE = text("""
INSERT INTO gis.population_source (source, year, quality, people)
VALUES (:source, :year, :quality, :people)
""")
_PEOPLE = text("""
SELECT string_agg(float8send(coalesce(people, 0)), '' ORDER BY place)
FROM unnest(CAST(:cells AS bigint[])) WITH ORDINALITY AS asked (cell, place)
LEFT JOIN gis.population USING (cell)
""")
_SOURCE = text("SELECT source, year, quality, people FROM gis.population_source")
# Rates are of all hexes, but no feature of a layer has changed: its tiles stay (an empty box). The
# rows are locked in one order, for nobody to wait crosswise.
_RAISE = text("""
WITH locked AS MATERIALIZED (
  SELECT id FROM gis.layer WHERE id IN (SELECT layer_id FROM gis.hex_counted)
  ORDER BY id FOR NO KEY UPDATE),
raised AS (
  UPDATE gis.layer SET version = version + 1, changed_at = now()
  FROM locked WHERE layer.id = locked.id RETURNING layer.id, layer.version)
INSERT INTO gis.touched (layer_id, version) SELECT id, version FROM raised
""")
