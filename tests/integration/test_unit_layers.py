"""Units through time as collections: asked for a day, they are those of that day."""

from collections import Counter, defaultdict
from datetime import UTC, datetime

import orjson
import pytest

from gis.access import ANONYMOUS
from gis.boundaries.loader import load_boundaries
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.database.engine import Database
from gis.values import TimeSpan
from layers.items import PageRequest, Query, read_page, source_of
from layers.storage.sync import sync
from tests.provinces import grid_communes, write_boundaries


@pytest.fixture
def units(database: Database, catalogue, tmp_path) -> Database:
    """All units of the province; today's communes are squares."""
    with database.writing() as connection:
        sync(connection, catalogue)
    path = write_boundaries(tmp_path, grid_communes())
    load_boundaries(
        database, BoundarySource("grid", BoundaryQuality.OFFICIAL, (path,)), package_history()
    )
    return database


def codes(database: Database, catalogue, day: datetime, level: str) -> list[str]:
    layer = catalogue.get("admin_units")
    query = Query(time=TimeSpan(day, day), equal={"level": level})
    request = PageRequest(query=query, limit=1000, properties=("code",), geometry=False)
    with database.reading() as connection:
        page = read_page(connection, source_of(layer), request, ANONYMOUS)
    return [orjson.loads(feature)["properties"]["code"] for feature in page.features]


@pytest.mark.parametrize(
    ("day", "level", "count"),
    [
        (datetime(2025, 6, 30, 16, 59, tzinfo=UTC), "province", 2),
        (datetime(2025, 6, 30, 17, 0, tzinfo=UTC), "province", 1),  # midnight in Vietnam
        (datetime(2024, 9, 10, tzinfo=UTC), "commune", 319),
        (datetime(2026, 1, 1, tzinfo=UTC), "commune", 99),
        (datetime(2026, 1, 1, tzinfo=UTC), "district", 0),
    ],
)
def test_units_are_those_of_the_day(units, catalogue, day, level, count):
    assert len(codes(units, catalogue, day, level)) == count


def test_every_change_is_an_item(units, catalogue):
    layer = catalogue.get("admin_changes")
    with units.reading() as connection:
        page = read_page(connection, source_of(layer), PageRequest(limit=1000), ANONYMOUS)
    changes = [orjson.loads(feature)["properties"] for feature in page.features]
    levels = Counter(one["old_level"] for one in changes)
    assert levels["commune"] == 319
    assert {(one["old_code"], one["new_code"], one["share_area"], one["estimated"])
            for one in changes if one["old_level"] == "province"} == {
        ("10", "15", 1.0, False), ("15", "15", 1.0, False)}  # fmt: skip
    given = defaultdict(float)
    for one in changes:
        given[one["old_level"], one["old_code"]] += one["share_area"]
    assert sum(level == "district" for level, _ in given) == 18
    assert list(given.values()) == pytest.approx([1.0] * len(given))
