"""The real service under clients that never read, or send by the byte: the others notice nothing,
and when they are gone nothing of them is left.
"""

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx
import psutil
import psycopg
import pytest

from gis.access import Role, create_key
from gis.database.engine import Database
from layers.definition.catalogue import read_catalogue
from layers.ingest.load import LoadOptions, load_file
from layers.items.formats import FORMATS
from layers.storage.sync import sync
from tests.acceptance.service import Service, service
from tests.databases import Server
from tests.waiting import wait_until
from tiles.archive import export

CROWD = 40
ROWS = 8_000
READ_S = 10.0
THREADS = 40 + 12  # that the service keeps for requests of all kinds
EVENTS = "/events?after=0"
SPRINGS = """
id: springs
title: {vi: Mạch nước, en: Springs}
description: {vi: Mạch nước, en: Springs}
department: {vi: Sở, en: Department}
licence: MIT
geometry: point
access: {write: operator}
source: {connector: file, key: id, coordinates: {x: lon, y: lat}, time: {column: at}}
fields:
  name: {type: text, label: {vi: Tên, en: Name}}
tiles: {}
alerts:
  rules:
    - {kind: count, id: any, title: {vi: Có mạch nước, en: A spring}, at_least: 1, hours: 24}
"""
_FILL = f"""
INSERT INTO layer.springs (geom, commune, place_method, valid_at, source, source_key, name)
SELECT ST_SetSRID(ST_MakePoint(104 + i / 1e5, 22), 4326), '00001', 'coordinates', '2020-01-01',
       'tests', i::text, md5(i::text) || md5((i + 1)::text) || md5((i + 2)::text)
FROM generate_series(1, {ROWS}) i
"""
_CONNECTED = """
SELECT count(*), count(*) FILTER (WHERE state <> 'idle' AND now() - xact_start > interval '1 s')
FROM pg_stat_activity WHERE application_name = 'gis' AND datname = current_database()
"""


@dataclass
class Crowd:
    """Clients that send something and then hold on, each `drip`ping if it has something to."""

    port: int
    clients: list[tuple[socket.socket, bytes]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def add(self, first: str, drip: bytes = b"") -> None:
        """Forty more, each from an address of its own on this machine."""
        for number in range(CROWD):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.bind((f"127.1.{len(self.clients) // CROWD}.{number + 1}", 0))
            client.settimeout(10)
            client.connect(("127.0.0.1", self.port))
            client.sendall(first.replace("\n", "\r\n").encode())
            client.setblocking(False)
            self.clients.append((client, drip))

    def drip(self) -> None:
        while not self.ended.wait(0.2):
            for client, drip in self.clients:
                with suppress(OSError):
                    client.send(drip)

    def close(self) -> None:
        self.ended.set()
        for client, _ in self.clients:
            client.close()


@pytest.fixture
def running(postgres: Server, toy_template: str) -> Iterator[tuple[Service, Database]]:
    """`gis up` over a database with many springs, and an archive of them."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gis-slow-")))
        url = stack.enter_context(postgres.database(toy_template))
        database = Database(url)
        stack.callback(database.close)
        layers = home / "layers"
        layers.mkdir()
        (layers / "springs.yaml").write_text(SPRINGS, encoding="utf-8")
        catalogue = read_catalogue(layers)
        with database.writing() as connection:
            sync(connection, catalogue)
            connection.exec_driver_sql(_FILL)
        (home / "service" / "pmtiles").mkdir(parents=True)
        archive = home / "service" / "pmtiles" / "springs.pmtiles"
        export(database, catalogue.get("springs"), archive, lambda done, total: None)
        settings = {
            "GIS_DATABASE_URL": url,
            "GIS_LAYERS": str(layers),
            "GIS_DEMO": "false",
            "GIS_LOG_LEVEL": "warning",
            "GIS_CLIENT_HEADER_S": str(READ_S),
            "GIS_CLIENT_BODY_S": str(READ_S),
            "GIS_CLIENT_READ_S": str(READ_S),
        }
        made = stack.enter_context(service(home / "service", **settings))
        made.start()
        yield made, database


def test_slow_clients_of_every_kind_stop_nobody_and_leave_nothing(running, tmp_path: Path):
    made, database = running
    with database.writing() as connection:
        key = create_key(connection, "tests", Role.OPERATOR)
    process = psutil.Process(made.processes[0].pid)
    ask(made.url, key, within_s=60)  # what each needs is loaded
    for path in set(slow_paths()) - {EVENTS}:
        ok(httpx.get(f"{made.url}{path}", timeout=60))
    alone = [timed(lambda: ok(httpx.get(f"{made.url}/health", timeout=60))) for _ in range(5)]
    memory = process.memory_info().rss
    files, threads = process.num_fds(), process.num_threads()
    crowd = Crowd(made.port)
    try:
        for path in slow_paths():
            crowd.add(f"GET {path} HTTP/1.1\nHost: localhost\n\n")
        crowd.add("GET / HTTP/1.1\nX-Slow: ", b"y")
        crowd.add("POST /places HTTP/1.1\nHost: localhost\nContent-Length: 100000\n\n", b" ")
        crowd.add("")
        threading.Thread(target=crowd.drip, daemon=True).start()
        path = tmp_path / "springs.csv"
        now = datetime.now(UTC).isoformat()
        path.write_text(f"id,name,lon,lat,at\na,Suối,104.05,22.05,{now}\n", encoding="utf-8")
        springs = read_catalogue(Path(made.settings["GIS_LAYERS"])).get("springs")
        load_file(database, springs, path, LoadOptions(who="tests", source="more"))
        waits, grown, together = [], 0, 0
        for _ in range(10):
            waits.append(timed(lambda: ok(httpx.get(f"{made.url}/health", timeout=60))))
            grown = max(grown, process.memory_info().rss - memory)
            together = max(together, connected(process))
            time.sleep(0.1)
        assert median(waits) < 1 + 10 * median(alone), (waits, alone)
        assert together > 4 * CROWD, "the crowd is there meanwhile"
        ask(made.url, key)
        wait_until(lambda: alerts(made.url, key) == 1, every_s=0.1)
        assert grown / 1e6 < 400
        # Those who do not read or do not send are dropped by the service itself; who listens to
        # events may stay as long as it likes.
        wait_until(lambda: connected(process) <= CROWD + 5, within_s=4 * READ_S, every_s=0.2)
    finally:
        crowd.close()
    wait_until(lambda: connected(process) == 0, every_s=0.2)
    wait_until(lambda: process.num_fds() <= files + 20, every_s=0.2)
    wait_until(lambda: process.num_threads() <= threads + THREADS, every_s=0.2)
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        wait_until(lambda: connection.execute(_CONNECTED).fetchone()[1] == 0, every_s=0.2)
        connections, _ = connection.execute(_CONNECTED).fetchone()
    assert connections < 60
    ask(made.url, key)


def slow_paths() -> list[str]:
    """What is sent bit by bit, and what is large in one piece."""
    items = "/ogc/collections/springs/items"
    exports = [f"{items}?f={form}" for form in FORMATS]
    return [*exports, f"{items}?limit=8000", EVENTS, "/pmtiles/springs.pmtiles"]


def ask(url: str, key: str, *, within_s: float = 10) -> None:
    """Requests as people make them: with a key, a write, a tile, a page of items."""
    headers = {"X-API-Key": key}
    with httpx.Client(base_url=url, timeout=within_s) as client:
        ok(client.get("/quarantine", headers=headers))
        ok(client.get("/tiles/springs/1/1/0.mvt"))
        ok(client.get("/ogc/collections/springs/items", params={"limit": 10}))
        body = {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [104.05, 22.05]},
            "properties": {"name": "Suối", "valid_at": "2020-01-01T00:00:00Z"},
        }
        ok(client.post("/ogc/collections/springs/items", json=body, headers=headers))


def ok(answer: httpx.Response) -> None:
    assert answer.is_success, answer.text


def timed(act: Callable[[], object]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


def alerts(url: str, key: str) -> int:
    found = httpx.get(f"{url}/alerts", params={"layer": "springs"}, headers={"X-API-Key": key})
    return len(found.json()["alerts"])


def connected(process: psutil.Process) -> int:
    """Clients of the service, in whatever state."""
    return sum(bool(one.raddr) and one.status != "TIME_WAIT" for one in tcp(process))


def tcp(process: psutil.Process):
    port = next(one.laddr.port for one in process.net_connections("tcp") if one.status == "LISTEN")
    return [one for one in process.net_connections("tcp") if one.laddr.port == port]
