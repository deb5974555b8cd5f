"""Items beside public peers: stock pygeoapi and tipg, on the same database and the same tables.

Run by `make bench`. Each server is one process of its own. Prints a table; fails when a promise of
docs/reference/ogc.md is not kept. GIS_BENCH_ROWS and GIS_BENCH_SECONDS make it smaller.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import quote, urlencode, urlsplit

import httpx
import psycopg
import uvicorn

from gis.database.engine import Database
from gis.database.migrate import migrate
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.storage.sync import sync
from tests.acceptance.service import free_port
from tests.conftest import SHARED
from tests.databases import server

ROWS = int(os.environ.get("GIS_BENCH_ROWS", "1000000"))
SECONDS = float(os.environ.get("GIS_BENCH_SECONDS", "5"))
HEXES = 10_000
TOWN, DISTRICT = 0.05, 0.5  # sides of a box, degrees: 1,100 and 110,000 of the points
CLIENTS = 4
COMMUNES = SHARED / "boundaries" / "lao_cai_communes_2025.geojson"


def layer(layer_id: str, geometry: str) -> Layer:
    words = {"vi": layer_id, "en": layer_id}
    return Layer.model_validate(
        {
            "id": layer_id,
            "title": words,
            "description": words,
            "department": words,
            "licence": "CC0-1.0",
            "geometry": geometry,
            "placed": False,
            "source": {"connector": "file", "key": "key", "time": {"column": "at"}},
            "fields": {
                "kind": {"type": "text", "label": words},
                "note": {"type": "text", "label": words},
                "severity": {"type": "integer", "label": words},
                "depth_m": {"type": "number", "label": words},
            },
        }
    )


LAYERS = [layer("points", "point"), layer("hexes", "polygon"), layer("communes99", "polygon")]

_COLUMNS = "(geom, source, source_key, valid_at, kind, note, severity, depth_m)"
_VALUES = """'bench', i::text, timestamptz '2024-01-01' + i * interval '30 seconds',
  (ARRAY['ngập', 'sạt lở', 'giao thông'])[1 + i %% 3], 'Ghi chú số ' || i, i %% 5, i / 7.0"""
_POINTS = f"""
INSERT INTO layer.points {_COLUMNS}
SELECT ST_SetSRID(ST_MakePoint(103.5 + 1.5 * random(), 21.3 + 1.5 * random()), 4326), {_VALUES}
FROM generate_series(1, %s) i"""
_HEXES = f"""
INSERT INTO layer.hexes {_COLUMNS}
SELECT ST_Multi(geom), {_VALUES}
FROM (SELECT geom, row_number() OVER () AS i
      FROM ST_HexagonGrid(0.01, ST_MakeEnvelope(103.5, 21.3, 105.1, 22.9, 4326))) h LIMIT %s"""
_COMMUNES = f"""
INSERT INTO layer.communes99 {_COLUMNS}
SELECT ST_Multi(ST_SetSRID(ST_GeomFromGeoJSON(feature ->> 'geometry'), 4326)), {_VALUES}
FROM jsonb_array_elements(%s::jsonb -> 'features') WITH ORDINALITY AS one(feature, i)"""
# What SQL alone needs for the text of the hexes, without any server about it.
_SQL_ALONE = """
SELECT json_build_object('type', 'FeatureCollection', 'features', json_agg(json_build_object(
  'type', 'Feature', 'id', id, 'geometry', ST_AsGeoJSON(geom, 7)::json, 'properties',
  json_build_object('kind', kind, 'note', note, 'severity', severity, 'depth_m', depth_m,
    'valid_at', valid_at, 'updated_at', updated_at, 'source', source, 'simulated', false))))::text
FROM layer.hexes"""


def fill(url: str) -> None:
    database = Database(url)
    migrate(database)
    with database.writing() as connection:
        sync(connection, Catalogue(tuple(LAYERS)))
    database.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_POINTS, (ROWS,))
        connection.execute(_HEXES, (HEXES,))
        if COMMUNES.is_file():
            connection.execute(_COMMUNES, (COMMUNES.read_text(encoding="utf-8"),))
        connection.execute("VACUUM ANALYZE")


# --- The three servers -----------------------------------------------------------------------


def serve_ours(url: str, port: int) -> None:
    import logging

    import structlog

    from tests.integration.ogc_app import ogc_app

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    uvicorn.run(ogc_app(Database(url), LAYERS), port=port, log_level="error", access_log=False)


def serve_tipg(url: str, port: int) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(url)
    host = quote(str(parts["host"]), safe="")  # a socket's folder, where it is one
    plain = f"postgresql://{parts.get('user') or 'postgres'}@{host}/{parts['dbname']}"
    os.environ |= {"DATABASE_URL": plain, "TIPG_DB_SCHEMAS": '["layer"]'}
    from tipg.main import app

    uvicorn.run(app, port=port, log_level="error", access_log=False)


def serve_pygeoapi(url: str, port: int) -> None:
    from sqlalchemy.dialects import registry

    # Its provider names psycopg2; the driver that we have speaks the same dialect.
    registry.register("postgresql.psycopg2", "sqlalchemy.dialects.postgresql.psycopg", "dialect")
    import yaml

    folder = Path(tempfile.mkdtemp(prefix="gis-bench-"))
    config, openapi = folder / "config.yml", folder / "openapi.yml"
    config.write_text(yaml.safe_dump(_pygeoapi_config(url, port)), encoding="utf-8")
    os.environ |= {"PYGEOAPI_CONFIG": str(config), "PYGEOAPI_OPENAPI": str(openapi)}
    from pygeoapi.openapi import get_oas

    openapi.write_text(yaml.safe_dump(get_oas(_pygeoapi_config(url, port))), encoding="utf-8")
    from pygeoapi.starlette_app import APP

    uvicorn.run(APP, port=port, log_level="error", access_log=False)


def _pygeoapi_config(url: str, port: int) -> dict[str, object]:
    from api.ogc.pygeoapi_core import _config, _resource

    parts = psycopg.conninfo.conninfo_to_dict(url)
    data = {
        "host": parts["host"],
        "port": int(parts.get("port") or 5432),
        "dbname": parts["dbname"],
        "user": parts.get("user") or "postgres",
        "password": parts.get("password") or "",
        "search_path": ["layer", "public"],
    }
    resources = {}
    for one in LAYERS:
        provider = {"type": "feature", "name": "PostgreSQL", "data": data, "id_field": "id"}
        provider |= {"table": one.id, "geom_field": "geom"}
        resources[one.id] = {**_resource(one), "providers": [provider]}
    config = _config(resources)
    config["server"] |= {"url": f"http://127.0.0.1:{port}", "bind": {"host": "", "port": port}}
    return json.loads(json.dumps(config))


SERVERS: dict[str, Callable[[str, int], None]] = {
    "ours": serve_ours,
    "pygeoapi": serve_pygeoapi,
    "tipg": serve_tipg,
}
PATHS = {
    "ours": "/ogc/collections/{}/items",
    "pygeoapi": "/collections/{}/items",
    "tipg": "/collections/layer.{}/items",
}


@dataclass(frozen=True)
class Peer:
    name: str
    base: str

    def items(self, layer_id: str) -> str:
        return self.base + PATHS[self.name].format(layer_id)


@contextmanager
def peer(name: str, url: str) -> Iterator[Peer]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.ogc", "serve", name, url, str(port)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    try:
        found = Peer(name, f"http://127.0.0.1:{port}")
        _await(found, process)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await(found: Peer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(found.items("hexes"), params=_json(found), timeout=20).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit(f"{found.name} does not serve")


def _json(found: Peer, **parameters: object) -> dict[str, object]:
    return {**parameters, "f": "geojson" if found.name == "tipg" else "json"}


# --- What is measured ------------------------------------------------------------------------


def requests_per_second(found: Peer, side: float) -> float:
    """`limit=100` within boxes that are never the same, several clients at once."""
    until = time.monotonic() + SECONDS

    def client(seed: int) -> int:
        target = urlsplit(found.items("points"))
        draw, done, http = random.Random(seed), 0, HTTPConnection(target.netloc, timeout=60)
        while time.monotonic() < until:
            west, south = (start + (1.5 - side) * draw.random() for start in (103.5, 21.3))
            box = f"{west},{south},{west + side},{south + side}"
            http.request("GET", f"{target.path}?{urlencode(_json(found, limit=100, bbox=box))}")
            answer = http.getresponse()
            assert answer.status == 200 and answer.read()
            done += 1
        http.close()
        return done

    started = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = sum(pool.map(client, range(CLIENTS)))
    return done / (time.monotonic() - started)


def seconds_for(
    found: Peer, layer_id: str, rows: int, changing: str | None = None, times: int = 5
) -> float:
    """`changing`: the database in which the layer changes before each request, so that ours cannot
    answer with the page that it kept."""

    def once() -> float:
        if changing is not None:
            with psycopg.connect(changing) as connection:
                connection.execute("UPDATE gis.layer SET version = version + 1")
        started = time.perf_counter()
        body = _get(found.items(layer_id), _json(found, limit=rows))
        took = time.perf_counter() - started
        assert len(json.loads(body)["features"]) == rows
        return took

    return median(once() for _ in range(times))


def _get(url: str, parameters: dict[str, object]) -> bytes:
    """By the plainest client there is: a heavier one would be measured with the server."""
    target = urlsplit(url)
    http = HTTPConnection(target.netloc, timeout=300)
    http.request("GET", f"{target.path}?{urlencode(parameters)}")
    answer = http.getresponse()
    body = answer.read()
    assert answer.status == 200, body[:500]
    http.close()
    return body


def seconds_of_sql(url: str) -> float:
    def once(connection: psycopg.Connection) -> float:
        started = time.perf_counter()
        connection.execute(_SQL_ALONE).fetchone()
        return time.perf_counter() - started

    with psycopg.connect(url) as connection:
        return median(once(connection) for _ in range(5))


def deep_page(found: Peer, url: str) -> tuple[float, float]:
    """Seconds of the first page and of the one at nine tenths of the rows."""
    from layers.items import source_of
    from layers.items.counting import Count, CountKind
    from layers.items.paging import Cursor, SortOrder

    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT max(id) * 9 / 10 FROM layer.points").fetchone()
    order = SortOrder(source_of(LAYERS[0])).name
    cursor = Cursor((str(row[0]),), False, order, Count(ROWS, CountKind.EXACT)).as_text()

    def once(parameters: dict[str, object], i: int) -> float:
        started = time.perf_counter()
        _get(found.items("points"), parameters | {"limit": 1000 - i})
        return time.perf_counter() - started

    once({}, 0)
    first = median(once({}, i) for i in range(1, 12))
    deep = median(once({"cursor": cursor}, i) for i in range(1, 12))
    return first, deep


@dataclass(frozen=True)
class Promise:
    what: str
    figure: float
    least: float | None = None
    most: float | None = None

    @property
    def kept(self) -> bool:
        return (self.least is None or self.figure >= self.least) and (
            self.most is None or self.figure <= self.most
        )

    def __str__(self) -> str:
        bound = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"
        return f"{'ok  ' if self.kept else 'FAIL'} {self.what:<56} {self.figure:8.2f}  {bound}"


def measure(url: str) -> list[Promise]:
    with ExitStack() as stack:
        peers = {name: stack.enter_context(peer(name, url)) for name in SERVERS}
        town = {name: requests_per_second(one, TOWN) for name, one in peers.items()}
        rate = {name: requests_per_second(one, DISTRICT) for name, one in peers.items()}
        hexes = {name: seconds_for(one, "hexes", HEXES, url) for name, one in peers.items()}
        print("limit=100 within 0.05°, requests per second:", _round(town))
        print("limit=100 within 0.5°, requests per second:", _round(rate))
        print(f"{HEXES} hexes as GeoJSON, seconds:", _round(hexes))
        sql = seconds_of_sql(url)
        print(f"the same text by SQL alone, seconds: {sql:.3f}")
        first, deep = deep_page(peers["ours"], url)
        print(
            f"page of 1000 at the start {first * 1000:.1f} ms, at nine tenths {deep * 1000:.1f} ms"
        )
        promises = [
            Promise("limit=100 with bbox: times stock", rate["ours"] / rate["pygeoapi"], 15),
            Promise("limit=100 with bbox: times tipg", rate["ours"] / rate["tipg"], 8),
            Promise("10,000 hexes: times stock pygeoapi", hexes["pygeoapi"] / hexes["ours"], 8),
            Promise("10,000 hexes: times tipg", hexes["tipg"] / hexes["ours"], 6),
            Promise("10,000 hexes: of the time of SQL alone", hexes["ours"] / sql, most=2),
            Promise("page at 900,000: of the time of the first", deep / first, most=2),
        ]
        if COMMUNES.is_file():
            names = ("ours", "pygeoapi")
            fresh = {name: seconds_for(peers[name], "communes99", 99, url) for name in names}
            whole = {name: seconds_for(peers[name], "communes99", 99) for name in names}
            print("99 communes in full detail, just changed, seconds:", _round(fresh))
            print("99 communes in full detail, unchanged, seconds:", _round(whole))
            faster = whole["pygeoapi"] / whole["ours"]
            promises.append(Promise("99 communes, unchanged: times stock pygeoapi", faster, 12))
        return promises


def _round(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(figure, 3) for name, figure in figures.items()}


def main() -> int:
    if sys.argv[1:2] == ["serve"]:
        SERVERS[sys.argv[2]](sys.argv[3], int(sys.argv[4]))
        return 0
    with server() as running, running.database() as url:
        print(f"filling {ROWS:,} points and {HEXES:,} hexes")
        fill(url)
        promises = measure(url)
    print("\n".join(map(str, promises)))
    return 0 if all(promise.kept for promise in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
