"""Tiles of simplified polygons while these change: each as when drawn alone, also what is kept.

The shapes are made anew by who finds them out of date, which takes seconds where polygons are many;
here it is slowed down instead.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from pmtiles.reader import MmapSource, Reader
from sqlalchemy import text

from gis.database.engine import Database
from gis.database.roles import as_owner
from layers.definition.catalogue import Catalogue
from tests.integration.tile_layers import (
    AREAS,
    TileClient,
    execute,
    path_of,
    publish,
    squares,
    tile_service,
    wavy_squares,
)
from tests.integration.tile_reader import decode
from tiles import coverage
from tiles.archive import export
from tiles.grid import Tile, tile_at

CLIENTS = 8
TILES = [
    Tile(z, x, y)
    for z, columns, rows in ((7, (100, 101), (55, 56)), (9, (403, 404), (223, 224)), (11, (), ()))
    for x in columns or range(1613, 1617)
    for y in rows or range(892, 896)
]

type Drawn = dict[Tile, bytes | None]


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    simplify = coverage.simplify_coverage

    def slow(*given):
        time.sleep(0.04)
        return simplify(*given)

    monkeypatch.setattr(coverage, "simplify_coverage", slow)


def tiles_of(http: TileClient, layer_id: str) -> Drawn:
    return {tile: drawn(http, layer_id, tile) for tile in TILES}


def drawn(http: TileClient, layer_id: str, tile: Tile) -> bytes | None:
    """None: beyond the limits of the tileset."""
    answer = http.get(path_of(layer_id, tile))
    assert answer.status_code in (200, 404), answer.text
    return answer.content if answer.status_code == 200 else None


def drawn_alone(database: Database, catalogue: Catalogue, layer_id: str) -> Drawn:
    """By a service that has nothing, of shapes that nobody made before."""
    execute(database, "DELETE FROM gis.simplified_layer")
    with tile_service(database, catalogue) as http:
        return tiles_of(http, layer_id)


@contextmanager
def eight_clients(http: TileClient, layer_id: str) -> Iterator[list[tuple[Tile, bytes | None]]]:
    """They ask for all tiles over and over, each in an order of its own; gives all they were sent,
    which includes each tile at least once after the block.
    """
    done, served = threading.Event(), []

    def ask(number: int) -> None:
        last = False
        while not last:
            last = done.is_set()
            for tile in TILES[number:] + TILES[:number]:
                served.append((tile, drawn(http, layer_id, tile)))

    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask, 3 * number) for number in range(CLIENTS)]
        time.sleep(0.2)
        yield served
        done.set()
        for one in asking:
            one.result()


def assert_as_drawn_alone(
    database: Database, catalogue: Catalogue, layer_id: str, change: Callable[[], None]
) -> None:
    """Of before or after the change while it comes, and of after it once it is there."""
    before = drawn_alone(database, catalogue, layer_id)
    with tile_service(database, catalogue) as http, tile_service(database, catalogue) as second:
        tiles_of(http, layer_id)
        with eight_clients(http, layer_id) as served:
            change()
            tiles_of(second, layer_id)  # another process meanwhile
        kept = tiles_of(http, layer_id), tiles_of(second, layer_id)
    after = drawn_alone(database, catalogue, layer_id)
    assert after != before
    assert kept == (after, after)
    wrong = [tile for tile, content in served if content not in (before[tile], after[tile])]
    assert (wrong, len(served) >= CLIENTS * len(TILES)) == ([], True)


@pytest.mark.usefixtures("slowly")
def test_clients_during_an_update_are_sent_tiles_as_they_are_drawn_alone(database):
    publish(database)
    wavy_squares(database)
    change = "UPDATE layer.areas SET geom = ST_Translate(geom, 0.003, 0.002) WHERE note = 'Xã 11'"
    assert_as_drawn_alone(database, Catalogue((AREAS,)), "areas", lambda: execute(database, change))


@pytest.mark.usefixtures("slowly")
def test_a_writer_who_does_not_rest_keeps_nobody_from_tiles_of_one_moment(database):
    """Each change makes the shapes of the one before useless, long before they are made."""
    publish(database)
    wavy_squares(database)
    tile, done = tile_at(103.7, 22.1, 9), threading.Event()

    def write() -> None:
        while not done.is_set():
            execute(database, "UPDATE layer.areas SET severity = coalesce(severity, 0) + 1")
            time.sleep(0.02)

    with tile_service(database, Catalogue((AREAS,))) as http, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        shown = [decode(http.get(path_of("areas", tile)).content, tile, "areas") for _ in range(2)]
        done.set()
        writing.result()
        quiet = decode(http.get(path_of("areas", tile)).content, tile, "areas")
    for each in shown:
        assert len({one.properties.get("severity") for one in each}) == 1
        assert [one.geometry for one in each] == [one.geometry for one in quiet]


def test_polygons_that_were_too_many_are_simplified_once_they_are_few(database):
    publish(database)
    squares(database, 71)
    wavy_squares(database)
    with tile_service(database, Catalogue((AREAS,))) as http:
        tiles_of(http, "areas")
        execute(database, "DELETE FROM layer.areas WHERE note IS NULL")
        few = tiles_of(http, "areas")
        squares(database, 71)
        many = tiles_of(http, "areas")
    assert many == drawn_alone(database, Catalogue((AREAS,)), "areas")
    execute(database, "DELETE FROM layer.areas WHERE note IS NULL")
    assert few == drawn_alone(database, Catalogue((AREAS,)), "areas")


def test_an_archive_waits_for_shapes_that_another_process_makes(database, tmp_path):
    publish(database)
    wavy_squares(database)
    tile, path = tile_at(103.7, 22.1, 7), tmp_path / "areas.pmtiles"
    with ThreadPoolExecutor(1) as pool:
        with database.writing_alone("simplify areas"):
            exporting = pool.submit(export, database, AREAS, path, lambda *_: None, 7)
            time.sleep(0.3)
            assert not exporting.done()
        exporting.result(20)
    with path.open("rb") as file:
        archived = Reader(MmapSource(file)).get(tile.z, tile.x, tile.y)
    with tile_service(database, Catalogue((AREAS,))) as http:
        asked = {"Accept-Encoding": "gzip"}
        served = decode(http.get(path_of("areas", tile), headers=asked).content, tile, "areas")
    assert decode(archived, tile, "areas") == served


# --- The calendar ----------------------------------------------------------------------------


def clock_at(database: Database, day: str) -> None:
    today = "CREATE OR REPLACE FUNCTION gis.today() RETURNS date LANGUAGE sql STABLE PARALLEL SAFE"
    with database.writing() as connection, as_owner(connection):
        connection.exec_driver_sql(f"{today} AS $$ SELECT date '{day}' $$")


@pytest.fixture
def communes(database: Database, catalogue: Catalogue) -> Catalogue:
    """Nine units with winding borders, of which two become one on 1 June 2026."""
    layer = catalogue.get("communes")
    publish(database, Catalogue((AREAS, layer)))
    wavy_squares(database)
    execute(
        database,
        """
        INSERT INTO gis.admin_unit
          (code, name, full_name, kind, level, valid_from, valid_to, geom, source, quality)
        SELECT lpad(id::text, 5, '0'), note, note, 'Xã', 'commune', date '2025-07-01',
          CASE WHEN id < 3 THEN date '2026-06-01' END, geom, 'test', 'official' FROM layer.areas
        UNION ALL
        SELECT '00099', 'Xã mới', 'Xã mới', 'Xã', 'commune', date '2026-06-01', NULL,
          ST_Multi(ST_Envelope(ST_Collect(geom))), 'test', 'official' FROM layer.areas WHERE id < 3
        """,
    )
    return Catalogue((layer,))


@pytest.mark.usefixtures("slowly")
def test_clients_over_a_midnight_that_changes_units_are_sent_tiles_as_drawn_alone(
    database, communes
):
    clock_at(database, "2026-05-31")
    assert_as_drawn_alone(database, communes, "communes", lambda: clock_at(database, "2026-06-01"))


def test_a_midnight_at_which_nothing_changes_drops_no_tile_and_no_shape(
    database, communes, monkeypatch
):
    clock_at(database, "2026-06-01")
    with tile_service(database, communes) as http:
        tiles, stamp = tiles_of(http, "communes"), stamps(database)
        monkeypatch.setattr("tiles.serving.layer_tile", refuse)
        monkeypatch.setattr("tiles.serving.question", refuse)
        for day in ("2026-06-02", "2027-01-01"):
            clock_at(database, day)
            with eight_clients(http, "communes") as served:
                pass
            assert dict(served) == tiles
            assert stamps(database) == stamp


def refuse(*_: object) -> None:
    raise AssertionError("a tile is made anew")


def stamps(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.scalars(text("SELECT stamp FROM gis.simplified_layer")))


def test_a_view_that_reads_the_calendar_is_known_and_no_other_is(toy_province):
    """What a view of ours shows changes with the clock where its text asks for it."""
    with toy_province.reading() as connection:
        texts = connection.execute(
            text("SELECT schemaname || '.' || viewname, definition FROM pg_views")
        ).all()
        told = connection.execute(
            text(
                "SELECT 'layer.' || id, day::text FROM gis.layer_state"
                " JOIN pg_views ON schemaname = 'layer' AND viewname = id"
            )
        ).all()
    ours = {name: sql for name, sql in texts if name.startswith(("layer.", "gis."))}

    def reads_clock(name: str) -> bool:
        beneath = [other for other in ours if other != name and other in ours[name]]
        return bool(CLOCK.search(ours[name])) or any(map(reads_clock, beneath))

    days = dict(told)
    assert {name for name in days if reads_clock(name)} == {"layer.communes"}
    assert days.pop("layer.communes") == "2025-07-01"
    assert set(days.values()) == {"-infinity"}


CLOCK = re.compile(r"today\(|now\(|current_|timestamp\(", re.IGNORECASE)
