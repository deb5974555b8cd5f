"""Store of the population by hex: tables gis.population and gis.population_source."""

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
    """The stored population: its source, year, quality and total."""

    source: str
    year: int | None
    quality: PopulationQuality
    people: float


def store_population(connection: Connection, cells: PeopleByCell, population: Population) -> None:
    """Replace the inhabitants; every layer that is counted by hex has changed then.

    `found` are cells of the finest resolution, each once.
    """
    _clear(connection)
    values = {"cells": cells.cells.tolist(), "people": cells.people.tolist()}
    connection.execute(_INSERT, values)
    connection.execute(_SUM, {"coarsest": COARSEST, "finest": FINEST})
    with as_owner(connection):  # ANALYZE passes over the tables of others
        connection.execute(_ANALYSE)
    connection.execute(_INSERT_SOURCE, asdict(population))
    connection.execute(_RAISE)


def drop_population(connection: Connection) -> None:
    """Delete the population; raises NotFound when none is loaded."""
    require_population(connection)
    _clear(connection)
    connection.execute(_RAISE)


def require_population(connection: Connection) -> Population:
    """The stored population; raises NotFound when none is loaded."""
    population = stored_population(connection)
    if population is None:
        raise NotFound("no population is loaded: run `gis population load FILE`")
    return population


def stored_population(connection: Connection) -> Population | None:
    """The stored population; None when none is loaded."""
    row = connection.execute(_SOURCE).one_or_none()
    if row is None:
        return None
    return Population(row.source, row.year, PopulationQuality(row.quality), row.people)


def people_of(connection: Connection, cells: Cells) -> Floats:
    """The inhabitants of each cell, of resolutions 5 to 10; 0 where nobody lives."""
    packed = connection.scalar(_PEOPLE, {"cells": cells.tolist()})
    return np.frombuffer(packed or b"", ">f8").astype(np.float64)


def _clear(connection: Connection) -> None:
    # Readers keep their snapshot: they wait neither for this lock nor for a DELETE.
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
# The rates of all hexes change, but no feature of a layer does: its tiles stay (an empty box). The
# rows are locked in one order, against deadlocks.
_RAISE = text("""
WITH locked AS MATERIALIZED (
  SELECT id FROM gis.layer WHERE id IN (SELECT layer_id FROM gis.hex_counted)
  ORDER BY id FOR NO KEY UPDATE),
raised AS (
  UPDATE gis.layer SET version = version + 1, changed_at = now()
  FROM locked WHERE layer.id = locked.id RETURNING layer.id, layer.version)
INSERT INTO gis.changed_area (layer_id, version) SELECT id, version FROM raised
""")
