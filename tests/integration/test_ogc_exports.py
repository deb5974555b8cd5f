"""Whole layers as files: what is in them, and that neither memory nor the database is held."""

import csv
import gc
import io
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import httpx
import psutil
import pyarrow.parquet as pq
import pyogrio
import pytest
from sqlalchemy import text

from gis.database.engine import Database
from gis.database.roles import become
from layers.items.formats import FORMATS
from layers.items.spool import Spools
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
    assert first["valid_at"] == "2024-09-10T08:00:00+07:00" and first["closed"] == "false"
    assert rows[4]["x"] == "" and "phone" not in first


def test_parquet_and_flatgeobuf_hold_the_same_rows(client: Client, tmp_path: Path) -> None:
    for form in ("parquet", "fgb"):
        (tmp_path / f"rows.{form}").write_bytes(client.get(f"{ITEMS}?f={form}&limit=4").content)
    parquet = gpd.read_parquet(tmp_path / "rows.parquet")
    assert parquet.crs == "OGC:CRS84"
    assert parquet["note"][0] == TRAPS and str(parquet["seen_on"][0]) == "2024-09-10"
    flat = gpd.read_file(tmp_path / "rows.fgb")
    flat = flat.sort_values("id", ignore_index=True)  # the file is in the order of its index
    assert list(flat["note"]) == list(parquet["note"]) and len(flat) == 4
    assert list(flat.geometry.x) == pytest.approx(list(parquet.geometry.x))
    (tmp_path / "sorted.fgb").write_bytes(
        client.get(f"{ITEMS}?f=fgb&sortby=-valid_at&limit=4").content
    )
    assert list(gpd.read_file(tmp_path / "sorted.fgb")["id"]) == ["4", "3", "2", "1"]
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


@pytest.mark.parametrize("form", FORMATS)
def test_a_client_that_reads_slowly_holds_no_connection(
    crowded_client: Client, crowded: Database, form: str
) -> None:
    address = crowded_client.base_url.join(f"{ITEMS}?f={form}&limit=20000")
    with httpx.stream("GET", address, timeout=30) as answer:
        parts = answer.iter_raw(1000)
        size = len(next(parts))
        assert _busy(crowded) == 0
        size += sum(map(len, parts))
    assert size == int(answer.headers["content-length"])
    wait_until(lambda: spools_of(crowded_client).size == 0)


@pytest.mark.parametrize("form", FORMATS)
def test_a_client_that_leaves_stops_the_query(
    crowded_client: Client, crowded: Database, form: str
) -> None:
    before = _rows_read(crowded)
    url = crowded_client.base_url
    with socket.create_connection((url.host, url.port), 10) as leaving:
        leaving.sendall(f"GET {ITEMS}?f={form} HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
        wait_until(lambda: _busy(crowded) > 0)
    wait_until(lambda: _busy(crowded) == 0)
    wait_until(lambda: _rows_read(crowded) > before)
    assert _rows_read(crowded) - before < MANY
    wait_until(lambda: spools_of(crowded_client).size == 0)


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_too_large_is_refused(
    crowded_client: Client, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(spools_of(crowded_client), "largest", 100_000)
    answer = crowded_client.get(f"{ITEMS}?f={form}")
    assert answer.status_code == 400
    assert "the file would be larger than 0.0953674 MB" in answer.json()["detail"]
    assert spools_of(crowded_client).size == 0
    monkeypatch.setattr(spools_of(crowded_client), "largest", 10**9)
    monkeypatch.setattr(spools_of(crowded_client), "most", 100_000)
    answer = crowded_client.get(f"{ITEMS}?f={form}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert "fill the room" in answer.json()["detail"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_query_that_takes_too_long_is_reported_and_is_no_half_file(
    crowded: Database, form: str
) -> None:
    impatient = Database(crowded.url, reader_timeout_ms=100)
    with client_of(impatient, [INCIDENTS]) as client, _locked(crowded):
        answer = client.get(f"{ITEMS}?f={form}")
    impatient.close()
    assert answer.status_code == 503
    assert "took too long" in answer.json()["detail"]


def spools_of(client: Client) -> Spools:
    return client.app.state.exports.spools


@contextmanager
def _locked(database: Database) -> Iterator[None]:
    """Nobody can read the layer while inside; what is known of it without reading can be told."""
    with database.writing() as connection:
        connection.execute(text("LOCK TABLE layer.incidents IN ACCESS EXCLUSIVE MODE"))
        yield


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
        become(connection, "none")  # others do not see what kind of backend one is
        return connection.scalar(
            text(
                "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                " WHERE relation = 'layer.incidents'::regclass AND backend_type = 'client backend'"
            )
        )
