"""What loaded layers know of the places of a situation: inhabitants, health posts, roads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, text

from gis.placing.reference import Territory

_RESOLUTION = 8  # of the hexes whose inhabitants are added up
_NEAR_DEGREES = 0.003  # some 300 m: a road beside a report
_MOST_RECORDS = 300  # whose roads are looked for
_MOST_ROADS = 6


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """Each is None where nothing is loaded that knows it.

    `people` live in the communes, `health_posts` stand in them; `roads` pass the reports, those
    with most of them first.
    """

    people: int | None = None
    health_posts: int | None = None
    roads: tuple[str, ...] | None = None


def surroundings(
    connection: Connection,
    territory: Territory,
    layer_id: str,
    communes: Sequence[str],
    records: Sequence[int],
) -> PlaceFacts:
    """What is known of these communes, and beside these records of a layer.

    Roads and health posts are those of the layers `roads` and `places`, where these are public: the
    words of an alert are read by whoever may read its own layer.
    """
    return PlaceFacts(
        people=_people(connection, territory, communes),
        health_posts=_health_posts(connection, communes),
        roads=_roads(connection, layer_id, records),
    )


def _people(connection: Connection, territory: Territory, communes: Sequence[str]) -> int | None:
    rows = connection.execute(_PEOPLE, {"resolution": _RESOLUTION}).all()
    if not rows:
        return None
    codes = territory.communes_of(np.array([row.cell for row in rows], np.uint64))
    wanted = set(communes)
    return int(sum(row.people for row, code in zip(rows, codes, strict=True) if code in wanted))


_PEOPLE = text(
    "SELECT cell, people FROM gis.population WHERE gis.h3_resolution(cell) = :resolution"
)


def _health_posts(connection: Connection, communes: Sequence[str]) -> int | None:
    if not _is_loaded(connection, "places", "kind = 'health_post'"):
        return None
    count = text(
        "SELECT count(*) FROM layer.places WHERE kind = 'health_post' AND commune = ANY(:communes)"
    )
    return int(connection.execute(count, {"communes": list(communes)}).scalar_one())


def _roads(connection: Connection, layer_id: str, records: Sequence[int]) -> tuple[str, ...] | None:
    if not _is_loaded(connection, "roads", "true"):
        return None
    # The newest are enough to know the roads.
    values = {"ids": list(records)[-_MOST_RECORDS:], "near": _NEAR_DEGREES, "limit": _MOST_ROADS}
    passing = text(
        "SELECT r.name FROM layer.roads r"  # noqa: S608 (an identifier of the catalogue)
        f' JOIN layer."{layer_id}" e ON ST_DWithin(r.geom, e.geom, :near)'
        " WHERE e.id = ANY(:ids) GROUP BY r.name ORDER BY count(DISTINCT e.id) DESC, r.name"
        " LIMIT :limit"
    )
    return tuple(connection.execute(passing, values).scalars())


def _is_loaded(connection: Connection, layer_id: str, condition: str) -> bool:
    """True if the layer is public, as shipped, and has such a row."""
    public = "SELECT gis.is_public(:layer) AND to_regclass('layer.' || :layer) IS NOT NULL"
    if not connection.scalar(text(public), {"layer": layer_id}):
        return False
    there = f"SELECT EXISTS (SELECT FROM layer.{layer_id} WHERE {condition})"  # noqa: S608
    return bool(connection.scalar(text(there)))
