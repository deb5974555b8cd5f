"""Tiles beside tipg, on the same database and the same tables; cold, warm, and under many clients.

Run by `make bench`. Each server is a process of its own. Prints a table, and of each promise
whether it was held or missed. GIS_BENCH_ROWS, GIS_BENCH_HEXES and GIS_BENCH_SECONDS make it
smaller. The simplified shapes of the communes are kept while they stay as they are: theirs are
measured as they are served, each tile once. Where their boundaries are not at hand, made-up ones
stand for them.
"""

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import numpy as np
import numpy.typing as npt
import psutil
import psycopg
import shapely
import uvicorn
import uvloop
from sqlalchemy import event

from api.connections import Patience
from api.sockets import Listener, serve_many
from benchmarks.ogc import _COMMUNES, _POINTS, _VALUES, COMMUNES, Promise, layer, serve_tipg
from gis.database.engine import Database
from gis.database.migrate import migrate
from layers.definition.catalogue import Catalogue
from layers.definition.model import TileOptions
from layers.storage.sync import sync
from tests.acceptance.service import free_port
from tests.databases import server
from tiles.coverage import is_simplified, stored_zoom
from tiles.grid import Tile, tile_at
from tiles.mvt import layer_tile, question, shown_fields
from tiles.sources import TileRequest
from tiles.state import read_state

ROWS = int(os.environ.get("GIS_BENCH_ROWS", "1000000"))
HEXES = int(os.environ.get("GIS_BENCH_HEXES", "250000"))
SECONDS = float(os.environ.get("GIS_BENCH_SECONDS", "10"))
PANNING_SECONDS = 6 * SECONDS
ZOOMS = (8, 11, 14)
ROUNDS = 3
COLD_TILES = 48  # of each table and zoom, or as many as there are
CLIENTS = 200
WORKERS = 2
LAYERS = [
    layer(name, kind).model_copy(update={"tiles": TileOptions()})
    for name, kind in (("points", "point"), ("hexes", "polygon"), ("communes99", "polygon"))
]
_COLUMNS = "(geom, source, source_key, valid_at, kind, note, severity, depth_m)"
# 250,000 of them cover the square of the points.
_HEXES = f"""
INSERT INTO layer.hexes {_COLUMNS}
SELECT ST_Multi(geom), {_VALUES}
FROM (SELECT geom, row_number() OVER () AS i
      FROM ST_HexagonGrid(0.002, ST_MakeEnvelope(103.5, 21.3, 105.1, 22.9, 4326))) h LIMIT %s"""

# A tile as the manual of PostGIS makes it, with the fields that ours has: what any server that asks
# for the rows themselves waits for. It holds no more features than tipg's.
_PLAIN_TILE = """
SELECT ST_AsMVT(tile, '{layer}', 4096, 'geometry', 'id') FROM (
  SELECT id, {fields},
    ST_AsMVTGeom(ST_Transform(geom, 3857), ST_TileEnvelope(%(z)s, %(x)s, %(y)s)) AS geometry
  FROM layer.{layer}
  WHERE geom && ST_Transform(ST_TileEnvelope(%(z)s, %(x)s, %(y)s, margin => 64.0 / 4096), 4326)
  LIMIT 10000) AS tile"""


def fill(url: str) -> None:
    database = Database(url)
    migrate(database)
    with database.writing() as connection:
        sync(connection, Catalogue(tuple(LAYERS)))
    database.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_POINTS, (ROWS,))
        connection.execute(_HEXES, (HEXES,))
        connection.execute(_COMMUNES, (communes(),))
        connection.execute("VACUUM ANALYZE")


def communes() -> str:
    """99 polygons side by side as GeoJSON: the real ones, or 11 × 9 with winding borders."""
    if COMMUNES.is_file():
        return COMMUNES.read_text(encoding="utf-8")
    columns, rows = np.meshgrid(
        np.linspace(103.5, 104.9, 12)[:-1], np.linspace(21.3, 22.8, 10)[:-1]
    )
    squares = shapely.box(columns, rows, columns + 1.4 / 11, rows + 1.5 / 9).ravel()
    winding = shapely.transform(shapely.segmentize(squares, 0.0003), _bent)
    told = [{"geometry": json.loads(one)} for one in shapely.to_geojson(winding)]
    return json.dumps({"features": told})


def _bent(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Moved by their place alone, so little that nothing folds: common borders stay common."""
    places = points.round(9)
    across = places[:, ::-1]
    return (places + 0.005 * np.sin(60 * across) + 0.0005 * np.sin(900 * across)).round(9)


# --- The servers -----------------------------------------------------------------------------


def application():
    """What each of our worker processes serves."""
    from api.app import create_app
    from api.logs import configure_logs
    from gis.settings import Settings

    settings = Settings(_env_file=None, log_level="error")
    configure_logs(settings)
    return create_app(settings, Database(os.environ["BENCH_URL"]), CATALOGUE)


CATALOGUE = Catalogue(tuple(LAYERS))


def serve_ours(url: str, port: int) -> None:
    """As `gis up` does, with as many processes as BENCH_WORKERS says."""
    os.environ["BENCH_URL"] = url
    processes = int(os.environ.get("BENCH_WORKERS", "1"))
    serve_many(
        "benchmarks.vector_tiles:application",
        processes,
        Listener.at("127.0.0.1", port),
        Patience(),
    )


def serve_nothing(_: str, port: int) -> None:
    """An empty answer: what HTTP takes by itself, in the same server, without any application."""

    async def nothing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    uvicorn.run(nothing, port=port, log_level="error", access_log=False, lifespan="off")


SERVERS: dict[str, Callable[[str, int], None]] = {
    "ours": serve_ours,
    "tipg": serve_tipg,
    "HTTP": serve_nothing,
}
PATHS = {
    "HTTP": "/{}/{}/{}/{}",
    "ours": "/tiles/{}/{}/{}/{}.mvt",
    "tipg": "/collections/layer.{}/tiles/WebMercatorQuad/{}/{}/{}",
}


@dataclass(frozen=True)
class Peer:
    name: str
    base: str
    process: psutil.Process

    def path(self, layer_id: str, tile: Tile) -> str:
        return PATHS[self.name].format(layer_id, tile.z, tile.x, tile.y)

    @property
    def memory_mb(self) -> float:
        parts = [self.process, *self.process.children(recursive=True)]
        return sum(part.memory_info().rss for part in parts) / 2**20


@contextmanager
def peer(name: str, url: str, workers: int = 1) -> Iterator[Peer]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.vector_tiles", "serve", name, url, str(port)]
    environment = os.environ | {"BENCH_WORKERS": str(workers)}
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1], env=environment)
    try:
        found = Peer(name, f"http://127.0.0.1:{port}", psutil.Process(process.pid))
        _await(found, process)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await(found: Peer, process: subprocess.Popen[bytes]) -> None:
    far = Tile(14, 0, 0)  # of which ours has none
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if not httpx.get(found.base + found.path("points", far), timeout=20).is_server_error:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit(f"{found.name} does not serve")


# --- What is measured ------------------------------------------------------------------------


def tiles_at(z: int, most: int = COLD_TILES) -> list[Tile]:
    """Tiles over the square of the data, always the same."""
    first, last = tile_at(103.55, 22.75, z), tile_at(104.95, 21.35, z)
    every = [Tile(z, x, y) for x in range(first.x, last.x + 1) for y in range(first.y, last.y + 1)]
    return random.Random(1).sample(every, min(most, len(every)))


def around(z: int) -> list[Tile]:
    """Tiles beside the data, of which ours has none, asked first: what is made once a zoom is made
    then.
    """
    beside = tile_at(99.0, 22.0, z)
    return [Tile(z, beside.x, beside.y + row) for row in range(8)]


type Took = dict[str, list[float]]


def cold_seconds(peers: Sequence[Peer], layer_id: str, tiles: Sequence[Tile], url: str) -> Took:
    """Seconds of each tile when nothing is kept, of each peer and of SQL alone (`plain`: as the
    manual has it; `SQL`: as ours asks), by turns: what else the machine does meanwhile slows all
    of them. Who comes first is drawn, as he brings the rows into memory for the others.
    """
    took: Took = {name: [] for name in (*(one.name for one in peers), "plain", "SQL")}
    database, draw = Database(url), random.Random(1)
    asked = [statements(database, layer_id, tile) for tile in tiles]
    with psycopg.connect(url, autocommit=True) as connection, ExitStack() as stack:
        clients = {one.name: stack.enter_context(connected(one)) for one in peers}
        alone = stack.enter_context(database._asking())
        for tile, ready in zip(tiles, asked, strict=True):
            turns: list[tuple[str, tuple[Any, ...]]] = [
                ("plain", (answered, connection, [plain(layer_id, tile)])),
                ("SQL", (answered, alone, ready)),
                *(
                    (one.name, (fetched, clients[one.name], one.path(layer_id, tile)))
                    for one in peers
                ),
            ]
            for name, work in draw.sample(turns, len(turns)):
                took[name].append(timed(*work))
    database.close()
    return took


def timed(work: Callable[..., None], *what: Any) -> float:
    started = time.perf_counter()
    work(*what)
    return time.perf_counter() - started


@contextmanager
def connected(one: Peer) -> Iterator[HTTPConnection]:
    client = HTTPConnection(urlsplit(one.base).netloc, timeout=120)
    yield client
    client.close()


def fetched(client: HTTPConnection, path: str) -> None:
    client.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = client.getresponse()
    assert answer.status in (200, 204, 404) and answer.read() is not None


def answered(alone: psycopg.Connection[Any], ready: Sequence[tuple[str, Any]]) -> None:
    """The statements of a tile, ready as text, through the same driver."""
    for statement, values in ready:
        alone.execute(statement, values).fetchall()


def plain(layer_id: str, tile: Tile) -> tuple[str, dict[str, int]]:
    fields = ", ".join(shown_fields(CATALOGUE.get(layer_id), tile.z))
    values = {"z": tile.z, "x": tile.x, "y": tile.y}
    return _PLAIN_TILE.format(layer=layer_id, fields=fields), values


def statements(database: Database, layer_id: str, tile: Tile) -> list[tuple[str, Any]]:
    """What the service asks the database for, to make a tile."""
    one, request, asked = CATALOGUE.get(layer_id), TileRequest(tile), []

    def note(connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    zoom = stored_zoom(one, tile.z)
    with database.reading() as connection:
        kept = zoom is not None and is_simplified(connection, one, read_state(connection, layer_id))
        shapes = zoom if kept else None
        alone = question(database.dialect, one, request, shapes)
        if alone and alone.answer(database.ask(alone.sql, alone.values)):
            return [(alone.sql, alone.values)]
        event.listen(connection, "before_cursor_execute", note)
        layer_tile(connection, one, request, shapes)
    return asked


@dataclass
class Load:
    """What clients saw."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    per_second: float = 0.0

    @property
    def p99_ms(self) -> float:
        return 1000 * quantiles(self.seconds, n=100)[98]


class Client(asyncio.Protocol):
    """Asks for one path after the other over one connection. It does as little as can be done: the
    machine that makes the load is the one that answers it.
    """

    def __init__(self, requests: Iterator[bytes], until: float, load: Load) -> None:
        self.requests = requests
        self.until = until
        self.load = load
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is not one by class
        self._ask()

    def data_received(self, data: bytes) -> None:
        self.answer += data
        if self.missing is None:
            head, end, body = self.answer.partition(b"\r\n\r\n")
            if not end:
                return
            self.load.wrong += not head.startswith(b"HTTP/1.1 200")
            self.missing = int(_LENGTH.search(head)[1]) - len(body)
        else:
            self.missing -= len(data)
        if self.missing == 0:
            self.load.seconds.append(time.perf_counter() - self.begun)
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.load.wrong += 1
            self.done.set_result(None)

    def _ask(self) -> None:
        self.begun, self.answer, self.missing = time.perf_counter(), b"", None
        if time.monotonic() < self.until:
            self.transport.write(next(self.requests))
        else:
            self.done.set_result(None)
            self.transport.close()


_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def warm(
    found: Peer, paths: Sequence[str], clients: int, seconds: float, coding: str = "gzip"
) -> Load:
    return uvloop.run(_warm(found, paths, clients, seconds, coding))


async def _warm(
    found: Peer, paths: Sequence[str], clients: int, seconds: float, coding: str
) -> Load:
    target, begun = urlsplit(found.base), time.monotonic()
    load, loop = Load(), asyncio.get_running_loop()
    asked = [
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept-Encoding: {coding}\r\n\r\n" for path in paths
    ]
    each = []
    for seed in range(clients):
        start = random.Random(seed).randrange(len(paths))
        turned = [one.encode() for one in (*asked[start:], *asked[:start])]
        _, client = await loop.create_connection(
            partial(Client, cycle(turned), begun + seconds, load), target.hostname, target.port
        )
        each.append(client)
    await asyncio.gather(*(client.done for client in each))
    load.per_second = len(load.seconds) / (time.monotonic() - begun)
    return load


def measure_cold(url: str) -> tuple[list[Promise], float]:
    """Each round has new servers, which keep nothing; of each tile the median round counts."""
    rounds = [measured_once(url) for _ in range(ROUNDS)]
    typical = {
        what: {
            name: list(map(median, zip(*(one[what][name] for one in rounds), strict=True)))
            for name in rounds[0][what]
        }
        for what in rounds[0]
    }
    ours = [each for took in typical.values() for each in took["ours"]]
    promises = [one for what, took in typical.items() for one in judged(*what, took)]
    return promises, len(ours) / sum(ours)


def measured_once(url: str) -> dict[tuple[str, int], Took]:
    found = {}
    with ExitStack() as stack:
        peers = [stack.enter_context(peer(name, url)) for name in SERVERS]
        for layer_id in ("points", "hexes", "communes99"):
            for z in ZOOMS:
                cold_seconds(peers, layer_id, around(z), url)
                found[layer_id, z] = cold_seconds(peers, layer_id, tiles_at(z), url)
    return found


def judged(layer_id: str, z: int, took: dict[str, list[float]]) -> Iterator[Promise]:
    names = ("ours", "tipg", "plain", "SQL", "HTTP")
    ours, tipg, bare, own, empty = (took[name] for name in names)
    told = "  ".join(f"{name} {1000 * median(took[name]):7.1f}" for name in took)
    print(
        f"{layer_id:<11} z{z:<3} {len(ours):>2} tiles, median ms: {told}  "
        f"slowest ours {1000 * max(ours):7.1f}",
        flush=True,
    )
    yield Promise(f"{layer_id} z{z}: tiles a second, times tipg", sum(tipg) / sum(ours), 2)
    over = [one / other for one, other in zip(ours, bare, strict=True)]
    yield Promise(f"{layer_id} z{z}: of the time of bare SQL, slowest tile", max(over), most=1.2)
    both = [one / (a + b) for one, a, b in zip(ours, own, empty, strict=True)]
    print(
        f"    of bare SQL: median {median(over):.2f}; of our SQL and an empty answer: median "
        f"{median(both):.2f}"
    )
    if (layer_id, z) == ("hexes", 8):
        yield Promise("hexes z8: slowest tile, ms", 1000 * max(ours), most=300)


def measure_warm(url: str, cold_per_second: float) -> list[Promise]:
    with peer("ours", url, WORKERS) as ours:
        paths = [ours.path("points", tile) for z in (10, 11, 12, 14) for tile in tiles_at(z)]
        warm(ours, paths, 4, 3)  # both workers hold them now
        steady = warm(ours, paths, 16, SECONDS)
        warm(ours, paths, 4, 3, "identity")
        unpacked = warm(ours, paths, 16, SECONDS, "identity")
        panning = [ours.path("points", tile) for z in (9, 11, 12, 13) for tile in tiles_at(z, 400)]
        warm(ours, panning, 8, SECONDS / 2)
        before = ours.memory_mb
        many = warm(ours, panning, CLIENTS, PANNING_SECONDS)
        grown = ours.memory_mb / before
    print(
        f"warm: {steady.per_second:.0f} a second, without compression {unpacked.per_second:.0f}; "
        f"{CLIENTS} clients: {many.per_second:.0f} a "
        f"second, median {1000 * median(many.seconds):.0f} ms, p99 {many.p99_ms:.0f} ms, "
        f"memory {before:.0f} MB, then × {grown:.2f}"
    )
    return [
        Promise("warm tiles a second", steady.per_second, 1500),
        Promise("warm tiles a second, without compression", unpacked.per_second, 1500),
        Promise("warm: times cold", steady.per_second / cold_per_second, 20),
        Promise(f"{CLIENTS} clients panning: p99, ms", many.p99_ms, most=500),
        Promise(f"{CLIENTS} clients panning: errors", many.wrong + steady.wrong, most=0),
        Promise(f"{CLIENTS} clients panning: memory after, of before", grown, most=1.1),
    ]


def main() -> int:
    if sys.argv[1:2] == ["serve"]:
        SERVERS[sys.argv[2]](sys.argv[3], int(sys.argv[4]))
        return 0
    with server() as running, running.database() as url:
        print(f"filling {ROWS:,} points and {HEXES:,} hexes")
        fill(url)
        promises, cold_per_second = measure_cold(url)
        promises += measure_warm(url, cold_per_second)
    for promise in promises:
        told = str(promise).removeprefix("ok  ").removeprefix("FAIL")
        print("held  " if promise.kept else "MISSED", told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
