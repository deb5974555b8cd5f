"""Counts by hex are kept by triggers: at each resolution they equal the rows, whatever was done."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import inf, isfinite, nan
from pathlib import Path
from typing import Any

import h3
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from gis.access import LOCAL_ADMIN
from gis.database.engine import Database
from gis.database.roles import as_owner
from layers.ingest import edit
from layers.ingest.feature import Feature
from layers.ingest.load import LoadOptions, load_file
from layers.items import source_of

LAYER = "citizen_reports"
START = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)  # half an hour before midnight in Vietnam
CENTRE = h3.latlng_to_cell(22.05, 104.05, 11)
# Neighbours, cousins in another hex of resolution 10, and one far away.
CELLS = [*sorted(h3.grid_disk(CENTRE, 3))[::5], h3.latlng_to_cell(22.02, 104.25, 11)]
CATEGORIES = ["traffic", "security", None]

Counts = dict[tuple[Any, ...], int]
Sums = dict[tuple[Any, ...], tuple[int, int, Fraction]]  # records, those with a value, their sum


@pytest.fixture
def counted(toy_province: Database) -> Database:
    """Reports that are counted by category, with a number each whose sum is kept."""
    with toy_province.writing() as connection, as_owner(connection):
        connection.execute(text(f"ALTER TABLE layer.{LAYER} ADD COLUMN weight double precision"))
        connection.execute(text(f"SELECT gis.attach_hex_counts('{LAYER}', 'category', 'weight')"))
    return toy_province


def stored(connection: Connection) -> tuple[Sums, Sums]:
    """What is kept: by resolution, cell and category; by day, cell of resolution 10, category."""
    sums = "category, count, valued, total"
    all_days = connection.execute(
        text(f"SELECT resolution, gis.h3_text(cell), {sums} FROM gis.hex_count")
    )
    days = connection.execute(
        text(f"SELECT day::text, gis.h3_text(cell), {sums} FROM gis.hex_day_count")
    )
    return _sums(all_days), _sums(days)


def _sums(rows: Iterable[Any]) -> Sums:
    return {tuple(row[:3]): (row.count, row.valued, Fraction(row.total)) for row in rows}


def recounted(connection: Connection) -> tuple[Sums, Sums]:
    """The same from the rows, by the H3 library and Python's clock."""
    rows = connection.execute(
        text(
            "SELECT gis.h3_text(h3) AS cell, coalesce(category, '') AS category, valid_at, weight"
            f" FROM layer.{LAYER} WHERE h3 IS NOT NULL AND NOT default_point"
        )
    )
    all_days: Sums = {}
    days: Sums = {}
    for row in rows:
        for r in range(5, 11):
            _add(all_days, (r, h3.cell_to_parent(row.cell, r), row.category), row.weight)
        cell = h3.cell_to_parent(row.cell, 10)
        _add(days, (_day(row.valid_at), cell, row.category), row.weight)
    return all_days, days


def _add(sums: Sums, key: tuple[Any, ...], value: float | None) -> None:
    valued = value is not None and isfinite(value)
    count, number, total = sums.get(key, (0, 0, Fraction(0)))
    # PostgreSQL makes a numeric of the 15 digits that a double is sure of.
    added = Fraction(f"{value:.15g}") if valued else 0
    sums[key] = (count + 1, number + valued, total + added)


def _day(at: datetime | None) -> str:
    return "-infinity" if at is None else (at + timedelta(hours=7)).date().isoformat()


def hold(database: Database) -> Counts:
    with database.snapshot() as connection:
        kept, expected = stored(connection), recounted(connection)
    assert kept == expected
    return {key: count for key, (count, _, _) in kept[0].items()}


rows = st.fixed_dictionaries(
    {
        "cell": st.sampled_from([*CELLS, None]),
        "category": st.sampled_from(CATEGORIES),
        "at": st.sampled_from([START, START + timedelta(hours=1), START - timedelta(days=9), None]),
        "default_point": st.sampled_from([False, False, False, True]),
        "weight": st.sampled_from([None, 0.1, 2.5, -1e-9, 1e15, inf, nan]),
    }
)
some = st.integers(0, 9)  # rows whose id ends so
acts = st.one_of(
    st.tuples(st.just("insert"), st.lists(rows, min_size=1, max_size=12)),
    st.tuples(st.just("update"), st.tuples(rows, some)),
    st.tuples(st.just("delete"), some),
    st.tuples(st.just("truncate"), st.just(0)),
    st.tuples(st.just("undone"), st.lists(rows, min_size=1, max_size=3)),
)


def do(database: Database, act: str, what: Any) -> None:
    with suppress(_UndoneError), database.writing() as connection:
        if act in ("insert", "undone"):
            insert(connection, what)
        elif act == "update":
            row, digit = what
            connection.execute(_UPDATE, bound(row) | {"digit": digit})
        elif act == "delete":
            connection.execute(
                text(f"DELETE FROM layer.{LAYER} WHERE id % 10 >= :digit"), {"digit": what}
            )
        else:
            connection.execute(text(f"TRUNCATE layer.{LAYER}"))
        if act == "undone":
            raise _UndoneError


class _UndoneError(Exception):
    pass


def insert(connection: Connection, what: list[dict[str, Any]]) -> None:
    connection.execute(_INSERT, [bound(row) for row in what])


def bound(row: dict[str, Any]) -> dict[str, Any]:
    return {"weight": None, **row, "cell": None if row["cell"] is None else int(row["cell"], 16)}


_INSERT = text(
    f"INSERT INTO layer.{LAYER} (h3, category, valid_at, default_point, weight, source,"
    " source_key, updated_at) VALUES (:cell, :category, :at, :default_point, :weight, 'tests',"
    " gen_random_uuid()::text, now())"
)
_UPDATE = text(
    f"UPDATE layer.{LAYER} SET h3 = :cell, category = :category, valid_at = :at,"
    " default_point = :default_point, weight = :weight WHERE id % 10 >= :digit"
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(done=st.lists(acts, min_size=1, max_size=8))
def test_counts_equal_the_rows_after_any_sequence_of_changes(
    counted: Database, done: list[tuple[str, Any]]
) -> None:
    do(counted, "truncate", 0)
    for act, what in done:
        do(counted, act, what)
        hold(counted)


def test_each_resolution_sums_to_the_same_total(counted: Database) -> None:
    with counted.writing() as connection:
        insert(
            connection,
            [
                {"cell": cell, "category": CATEGORIES[n % 3], "at": START, "default_point": False}
                for n, cell in enumerate(CELLS * 3)
            ],
        )
    totals: Counter[int] = Counter()
    for (resolution, _, _), count in hold(counted).items():
        totals[resolution] += count
    assert dict(totals) == dict.fromkeys(range(5, 11), len(CELLS) * 3)


def test_default_points_and_rows_without_a_point_are_in_no_hex(counted: Database) -> None:
    at = {"category": "traffic", "at": START}
    with counted.writing() as connection:
        insert(connection, [at | {"cell": CENTRE, "default_point": True}])
        insert(connection, [at | {"cell": None, "default_point": False}])
    assert hold(counted) == {}


def test_a_report_before_midnight_counts_on_its_day_in_vietnam(counted: Database) -> None:
    at = {"cell": CENTRE, "category": "traffic", "default_point": False}
    with counted.writing() as connection:
        insert(connection, [at | {"at": START}, at | {"at": START + timedelta(minutes=31)}])
    with counted.reading() as connection:
        days = [day for day, _, _ in stored(connection)[1]]
    assert sorted(days) == ["2026-03-01", "2026-03-02"]


HEADER = "report_id,happened_at,received_at,category,description,status,lon,lat,address,commune\n"


def test_counts_follow_loads_edits_deletions_and_reverts(
    counted: Database, catalogue, tmp_path: Path
) -> None:
    layer = catalogue.get(LAYER)
    source = source_of(layer)

    def load(*places: tuple[str, float]) -> None:
        lines = (
            f"{key},2026-03-01T08:00:00+07:00,,traffic,x,received,{lon},22.05,,\n"
            for key, lon in places
        )
        (tmp_path / "reports.csv").write_text(HEADER + "".join(lines), encoding="utf-8")
        load_file(counted, layer, tmp_path / "reports.csv", LoadOptions("tests", "tests"))

    def step(change: Callable[[Connection], Any]) -> Any:
        with counted.writing() as connection:
            result = change(connection)
        hold(counted)
        return result

    def feature(lon: float) -> Feature:
        about = {"category": "disaster", "valid_at": START}
        return Feature(shapely.Point(lon, 22.05), about, has_geometry=True)

    load(("a", 104.05), ("b", 104.15), ("c", 104.15))
    assert sum(count for (r, *_), count in hold(counted).items() if r == 8) == 3
    load(("a", 104.25), ("b", 104.15))  # a has moved
    hold(counted)
    row = step(lambda c: edit.add(c, source, feature(104.05), LOCAL_ADMIN)).id
    step(lambda c: edit.replace(c, source, row, feature(104.15), LOCAL_ADMIN))
    step(lambda c: edit.delete(c, source, row, LOCAL_ADMIN))
    with counted.reading() as connection:
        newest, *_ = edit.history(connection, LAYER, row)
    step(lambda c: edit.revert(c, layer, newest.id, LOCAL_ADMIN))
    assert sum(count for (r, *_), count in hold(counted).items() if r == 8) == 4


@pytest.mark.parametrize("crossing", [False, True], ids=["same order", "opposite order"])
def test_two_writers_at_once_lose_no_count(counted: Database, crossing: bool) -> None:
    """Each inserts, moves and deletes; the other is never waited for crosswise."""
    errors: list[BaseException] = []

    def write(cells: list[str]) -> None:
        try:
            for cell in cells * 3:
                row = {"cell": cell, "category": "traffic", "at": START, "default_point": False}
                do(counted, "insert", [row] * 3)
                do(counted, "update", ({**row, "cell": cells[0]}, 5))
                do(counted, "delete", 8)
        except BaseException as error:
            errors.append(error)

    orders = [CELLS, CELLS[::-1] if crossing else CELLS]
    writers = [threading.Thread(target=write, args=(order,)) for order in orders]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
    assert errors == []
    assert hold(counted)


MANY = list(h3.grid_disk(CENTRE, 40))
_COUNTS_READ = text("""
SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS read FROM pg_stat_xact_user_tables
WHERE schemaname = 'gis' AND relname IN ('hex_count', 'hex_day_count', 'tile_count')
""")
_SPREAD = text(f"""
INSERT INTO layer.{LAYER} (h3, geom, category, valid_at, source, source_key)
SELECT cell, ST_SetSRID(ST_MakePoint(lon, lat), 4326), 'traffic', :at, 'tests', cell::text
FROM unnest(CAST(:cells AS bigint[]), CAST(:lon AS float8[]), CAST(:lat AS float8[]))
  AS spread (cell, lon, lat)
""")


@pytest.fixture
def spread(counted: Database) -> Database:
    """Rows in thousands of cells, of which the statistics know nothing: it was empty for them."""
    lat, lon = zip(*map(h3.cell_to_latlng, MANY), strict=True)
    with counted.writing() as connection, as_owner(connection):
        connection.execute(text("ANALYZE gis.hex_count, gis.hex_day_count, gis.tile_count"))
        cells = [int(cell, 16) for cell in MANY]
        values = {"cells": cells, "lon": list(lon), "lat": list(lat), "at": START}
        connection.execute(_SPREAD, values)
    return counted


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE layer.{LAYER} SET valid_at = valid_at + interval '1 day' WHERE id = :id",
        f"DELETE FROM layer.{LAYER} WHERE id = :id",
        f"INSERT INTO layer.{LAYER} (h3, geom, source, source_key)"
        f" SELECT h3, geom, source, 'new' FROM layer.{LAYER} WHERE id = :id",
    ],
    ids=["update", "delete", "insert"],
)
def test_a_small_change_reads_no_more_counts_than_its_own(spread: Database, change: str) -> None:
    with spread.writing() as connection:
        at = connection.scalar(text(f"SELECT max(id) FROM layer.{LAYER}"))
        assert connection.execute(text(change), {"id": at}).rowcount == 1
        read = [row.read for row in connection.execute(_COUNTS_READ)]
    assert len(hold(spread)) > 500
    assert sum(read) > 0
    assert max(read) < 50
