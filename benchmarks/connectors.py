"""Reading of other systems beside a bare client, in turns: rows a second, CPU and memory.

* A table of a second PostgreSQL beside `geopandas.read_postgis` (the reading part alone).
* An ArcGIS layer beside a loop of httpx that asks for the same ranges and parses them.
* A WFS of MapServer beside one GetFeature of httpx.

Each reader is a process of its own; servers too. A rate is rows by the seconds of CPU of reader and
server together, since the clock says more of what else a machine does. The server of ArcGIS is a
simulated one, which makes features faster than one with a database. Fails where the table is slower
than geopandas reads it, or where our reader of ArcGIS or WFS takes more than 25 µs of CPU for a
feature: then a server that gives 4,000 features a second is read with 0.9 of its rate.

GIS_BENCH_SOURCE_ROWS (200,000), GIS_BENCH_SOURCE_FEATURES (20,000) and GIS_BENCH_SOURCE_ROUNDS (3)
set the size.
"""

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import orjson
import psutil
import psycopg

from api.demo_sources.arcgis import LAYER, DemoArcgis, health_facilities
from api.demo_sources.server import DemoServer
from gis.database.cluster import THROW_AWAY
from tests.acceptance.service import free_port
from tests.databases import own_cluster
from tests.integration.connectors.faulty import connector, surroundings
from tests.integration.connectors.map_server import NAMES, map_server, write_map

ROWS = int(os.environ.get("GIS_BENCH_SOURCE_ROWS", "200000"))
FEATURES = int(os.environ.get("GIS_BENCH_SOURCE_FEATURES", "20000"))
ROUNDS = int(os.environ.get("GIS_BENCH_SOURCE_ROUNDS", "3"))
PAGE = 2_000
MOST_US = 25.0  # of CPU for a feature
_SPAWN = multiprocessing.get_context("spawn")


def our_records(name: str, options: dict[str, object]) -> int:
    around = surroundings({"P": "x"}, timeout_s=60, longest_s=600, most_bytes=2**29)
    source = connector(name, around, **options)
    try:
        return sum(len(batch.records) for batch in source.read({}))
    finally:
        source.close()


def their_rows(port: int) -> int:
    import geopandas
    from sqlalchemy import create_engine

    engine = create_engine(f"postgresql+psycopg://reader@127.0.0.1:{port}/gis")
    return len(geopandas.read_postgis("SELECT * FROM d.points ORDER BY id", engine, "geom"))


def their_features(url: str) -> int:
    count = 0
    with httpx.Client(timeout=60) as client:
        form = {"f": "json", "where": "1=1", "returnIdsOnly": "true"}
        ids = sorted(client.post(f"{url}/query", data=form).json()["objectIds"])
        for start in range(0, len(ids), PAGE):
            low, high = ids[start], ids[min(start + PAGE, len(ids)) - 1]
            form = {
                "f": "json", "outFields": "*", "orderByFields": "OBJECTID", "outSR": "4326",
                "where": f"(1=1) AND OBJECTID >= {low} AND OBJECTID <= {high}",
            }  # fmt: skip
            answer = client.post(f"{url}/query", data=form)
            count += len(orjson.loads(answer.content)["features"])
    return count


def their_collection(url: str) -> int:
    query = {
        "service": "WFS", "version": "2.0.0", "request": "GetFeature", "typenames": "ms:communes",
        "outputformat": "application/json; subtype=geojson",
        "srsname": "urn:ogc:def:crs:EPSG::4326",
    }  # fmt: skip
    return len(orjson.loads(httpx.get(url, params=query, timeout=60).content)["features"])


def timed(queue: object, read: Callable[..., int], arguments: tuple[object, ...]) -> None:
    import shapely  # noqa: F401

    import gis.connectors.sql  # noqa: F401 (what is imported once is no part of a reading)

    start, cpu = time.perf_counter(), time.process_time()
    count = read(*arguments)
    took = (count, time.perf_counter() - start, time.process_time() - cpu)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    queue.put((*took, memory))  # type: ignore[attr-defined]


def in_process(read: Callable[..., int], *arguments: object) -> tuple[int, float, float, int]:
    queue = _SPAWN.Queue()
    process = _SPAWN.Process(target=timed, args=(queue, read, arguments))
    process.start()
    result: tuple[int, float, float, int] = queue.get(timeout=600)
    process.join()
    return result


def cpu_s(server: psutil.Process) -> float:
    """Seconds of CPU of a server, with its children, those that ended too."""
    processes = [server, *server.children(recursive=True)]
    return sum(sum(process.cpu_times()[:4]) for process in processes)


def compared(
    name: str,
    count: int,
    server: psutil.Process,
    ours: Callable[[], tuple[int, float, float, int]],
    theirs: Callable[[], tuple[int, float, float, int]],
) -> bool:
    """Print both, in turns; False where ours takes more than promised."""
    best: dict[str, float] = {}
    our_us: list[float] = []
    for _ in range(ROUNDS):
        for who, read in (("ours", ours), ("bare", theirs)):
            before = cpu_s(server)
            read_count, wall_s, reader_s, memory_mb = read()
            server_s = cpu_s(server) - before
            assert read_count == count, (name, who, read_count)
            rate = count / (reader_s + server_s)
            best[who] = max(best.get(who, 0), rate)
            our_us += [1e6 * reader_s / count] if who == "ours" else []
            print(
                f"{name:8} {who:5} {rate:10,.0f} rows/s of CPU: reader {reader_s:.2f} s, server "
                f"{server_s:.2f} s; {wall_s:.2f} s by the clock, {memory_mb} MB"
            )
    ratio = best["ours"] / best["bare"]
    print(f"{name:8} ratio {ratio:.2f}, our reader {min(our_us):.1f} µs a row")
    return ratio >= 1 if name == "table" else min(our_us) <= MOST_US


def serve_arcgis(port: int) -> None:
    DemoServer(DemoArcgis(health_facilities(FEATURES), PAGE).pages(), port).serve_forever()


def serve_wfs(port: int, path: Path) -> None:
    DemoServer({"/wfs": map_server(path)}, port).serve_forever()


def await_port(port: int) -> None:
    import socket

    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def table() -> bool:
    port = free_port()
    os.environ["PGPORT"] = str(port)
    with own_cluster({**THROW_AWAY, "listen_addresses": "127.0.0.1", "port": str(port)}) as cluster:
        with (cluster.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all reader 127.0.0.1/32 trust\n")
        with psycopg.connect(cluster.url, autocommit=True) as connection:
            for statement in (
                "SELECT pg_reload_conf()", "CREATE ROLE reader LOGIN", "CREATE SCHEMA d",
                "CREATE EXTENSION IF NOT EXISTS postgis",
                f"""CREATE TABLE d.points AS SELECT n AS id, 'Điểm ' || n AS name, n / 7.0 AS value,
                    timestamptz '2025-01-01' + n * interval '1 s' AS at,
                    ST_SetSRID(ST_MakePoint(104 + n % 1000 / 1e4, 22), 4326) AS geom
                    FROM generate_series(1, {ROWS}) n""",
                "ALTER TABLE d.points ADD PRIMARY KEY (id)", "ANALYZE d.points",
                "GRANT USAGE ON SCHEMA d TO reader", "GRANT SELECT ON d.points TO reader",
            ):  # fmt: skip
                connection.execute(statement)
        options = {
            "system": "postgresql", "host": "127.0.0.1", "port": port, "database": "gis",
            "user": "reader", "password": "{secret:P}", "table": "d.points", "key": "id",
            "geometry": "geom",
        }  # fmt: skip
        return compared(
            "table",
            ROWS,
            psutil.Process(cluster.postmaster),
            lambda: in_process(our_records, "sql", options),
            lambda: in_process(their_rows, port),
        )


def served(target: Callable[..., None], *arguments: object) -> tuple[int, psutil.Process]:
    port = free_port()
    process = _SPAWN.Process(target=target, args=(port, *arguments), daemon=True)
    process.start()
    await_port(port)
    return port, psutil.Process(process.pid)


def arcgis() -> bool:
    port, server = served(serve_arcgis)
    url = f"http://127.0.0.1:{port}{LAYER}"
    try:
        return compared(
            "arcgis",
            FEATURES,
            server,
            lambda: in_process(our_records, "arcgis", {"url": url}),
            lambda: in_process(their_features, url),
        )
    finally:
        server.kill()


def wfs() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = write_map(Path(folder), formats="geojson")
        features = orjson.loads((Path(folder) / "communes.geojson").read_bytes())
        features["features"] *= FEATURES // len(NAMES)
        (Path(folder) / "communes.geojson").write_bytes(orjson.dumps(features))
        port, server = served(serve_wfs, path)
        url = f"http://127.0.0.1:{port}/wfs"
        options = {"url": url, "type_name": "communes"}
        try:
            return compared(
                "wfs",
                len(features["features"]),
                server,
                lambda: in_process(our_records, "wfs", options),
                lambda: in_process(their_collection, url),
            )
        finally:
            server.kill()


if __name__ == "__main__":
    results = [table(), arcgis(), wfs()]
    sys.exit(0 if all(results) else 1)
