"""Whole layers as files: what is in them, and that neither memory nor the database is held."""

import csv
import gc
import io
import os
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import httpx
import psutil
import pyarrow.parquet as pq
import pyogrio
import pytest
from sqlalchemy import text

from gis.database.engine import Database
from layers.items import PageRequest, source_of
from layers.items.export import export_flatgeobuf
from tests.databases import Server
from tests.integration.ogc_app import Client, client_of
from tests.integration.ogc_layers import INCIDENTS, TRAPS, add_five, make_layer
from tests.waiting import wait_until

ITEMS = "/ogc/collections/incidents/items"
MANY = 200_000


@pytest.fixture
def client(database: Database) -> Iterator[Client]:
    make_layer(database)
    add_five(database)
    with client_of(database, [INCIDENTS]) as opened:
        yield opened


@pytest.fixture(scope="module")
def crowded(postgres: Server, migrated: str) -> Iterator[Database]:
    """A database with many incidents, for tests that only read."""
    with postgres.opened(migrated) as database:
        make_layer(database)
        add_many(database)
        yield database


@pytest.fixture(scope="module")
def crowded_client(crowded: Database) -> Iterator[Client]:
    with client_of(crowded, [INCIDENTS]) as opened:
        yield opened


def add_many(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO layer.incidents (id, geom, kind, note, severity) SELECT i,"
                " ST_SetSRID(ST_MakePoint(104 + i / 1e6, 22), 4326), 'road', repeat('ghi chú ', 20)"
                ", i FROM generate_series(1, :last) i"
            ),
            {"last": MANY},
        )


def test_csv_holds_text_as_it_is_and_points_as_x_and_y(client: Client) -> None:
    answer = client.get(f"{ITEMS}?f=csv&sortby=-valid_at")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbfid,x,y,kind,")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == ["4", "3", "2", "1", "5"]
    first = rows[3]
    assert first["note"] == TRAPS and (float(first["x"]), float(first["y"])) == (103.9, 22.3)
    assert first["valid_at"] == "2024-09-10T01:00:00+00:00" and first["closed"] == "false"
    assert rows[4]["x"] == "" and "phone" not in first


def test_parquet_and_flatgeobuf_hold_the_same_rows(client: Client, tmp_path: Path) -> None:
    for form in ("parquet", "fgb"):
        (tmp_path / f"rows.{form}").write_bytes(client.get(f"{ITEMS}?f={form}&limit=4").content)
    parquet = gpd.read_parquet(tmp_path / "rows.parquet")
    assert parquet.crs == "OGC:CRS84"
    assert parquet["note"][0] == TRAPS and str(parquet["seen_on"][0]) == "2024-09-10"
    flat = gpd.read_file(tmp_path / "rows.fgb")
    assert list(flat["note"]) == list(parquet["note"]) and len(flat) == 4
    assert list(flat.geometry.x) == pytest.approx(list(parquet.geometry.x))
    assert str(flat["valid_at"][0]) == "2024-09-10 01:00:00+00:00"


def test_an_export_has_the_crs_asked_for_and_says_so(client: Client, tmp_path: Path) -> None:
    crs = "http://www.opengis.net/def/crs/EPSG/0/32648"
    (tmp_path / "rows.parquet").write_bytes(client.get(f"{ITEMS}?f=parquet&crs={crs}").content)
    frame = gpd.read_parquet(tmp_path / "rows.parquet")
    assert frame.crs.to_epsg() == 32648 and frame.geometry.x[0] == pytest.approx(386692.445)
    (tmp_path / "rows.fgb").write_bytes(client.get(f"{ITEMS}?f=fgb&crs={crs}").content)
    assert gpd.read_file(tmp_path / "rows.fgb").crs.to_epsg() == 32648
    assert pq.read_schema(tmp_path / "rows.parquet").field("valid_at").type.tz == "UTC"
    assert pyogrio.read_info(tmp_path / "rows.fgb")["features"] == 5


@pytest.mark.parametrize("query", ["wind=1", "filter=wind=1", "cursor=abc", "limit=0", "f=shp"])
def test_a_wrong_export_is_refused_before_the_first_byte(client: Client, query: str) -> None:
    answer = client.get(f"{ITEMS}?{'' if 'f=' in query[:2] else 'f=csv&'}{query}")
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("form", ["csv", "parquet", "fgb"])
def test_a_large_export_keeps_memory_low(crowded_client: Client, form: str) -> None:
    crowded_client.get(f"{ITEMS}?f={form}&limit=10")
    gc.collect()
    process = psutil.Process(os.getpid())
    idle, most, size = process.memory_info().rss, 0, 0
    with crowded_client.stream("GET", f"{ITEMS}?f={form}", timeout=120) as answer:
        for part in answer.iter_raw():
            size += len(part)
            most = max(most, process.memory_info().rss)
    assert size > MANY * 10
    assert (most - idle) / 1e6 < 150


def test_a_client_that_leaves_stops_the_query(crowded_client: Client, crowded: Database) -> None:
    address = crowded_client.base_url.join(f"{ITEMS}?f=csv")
    with httpx.stream("GET", address, timeout=30) as answer:
        next(answer.iter_raw(1000))
        assert _busy(crowded) == 1
    wait_until(lambda: _busy(crowded) == 0)


def test_a_flatgeobuf_that_nobody_wants_any_more_is_not_written_on(crowded: Database) -> None:
    before = _rows_read(crowded)
    parts = export_flatgeobuf(crowded, source_of(INCIDENTS), PageRequest(), None)
    assert next(parts) == b"", "still writing"
    assert _busy(crowded) == 1
    parts.close()
    assert _busy(crowded) == 0
    wait_until(lambda: _rows_read(crowded) > before)
    assert _rows_read(crowded) - before < MANY


def _rows_read(database: Database) -> int:
    """Of the layer, ever; PostgreSQL enters what a client has read when that client leaves."""
    database.close()
    with database.writing() as connection:
        return connection.scalar(
            text(
                "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
                " WHERE relid = 'layer.incidents'::regclass"
            )
        )


def _busy(database: Database) -> int:
    """How many clients are amid reading the layer; PostgreSQL's own workers are not clients."""
    with database.writing() as connection:
        return connection.scalar(
            text(
                "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                " WHERE relation = 'layer.incidents'::regclass AND backend_type = 'client backend'"
            )
        )
