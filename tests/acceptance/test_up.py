"""`gis up` as a new user meets it: it serves, stops cleanly, survives a kill, and says what is
wrong in one message.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.acceptance.service import GIS, ROOT, Service, service
from tests.waiting import wait_until

MANY = 5_000
DEMO_SOURCES = "true"


def test_the_first_page_shows_the_main_job(running: Service):
    with httpx.Client(base_url=running.url, timeout=30) as http:
        status = http.get("/status").json()
        alerts = http.get("/alerts").json()["alerts"]  # other tests act on those of the demo
    assert status["simulated"] is True
    assert {"communes", "citizen_reports", "hotspots", "alerts"} <= {
        layer["id"] for layer in status["layers"]
    }
    # Those of the demo; what other tests report is real, and so are its alerts.
    assert any(alert["simulated"] for alert in alerts)


def test_departments_data_arrive_and_one_source_fails_and_one_layer_is_late(running: Service):
    address = f"{running.url}/ogc/collections/sources/items"

    def sources() -> dict[str, str]:
        features = httpx.get(address, params={"limit": 50}).json()["features"]
        return {one["properties"]["of_layer"]: one["properties"]["state"] for one in features}

    def read() -> bool:
        return all(state != "new" for state in sources().values())

    assert len(sources()) == 9  # permits are not public
    assert read()  # while it was set up
    assert running.run("sources", "run", "border_gates").returncode != 0
    wait_until(lambda: sources()["border_gates"] == "failing")
    wait_until(lambda: sources()["water_levels"] == "late")
    others = {k: v for k, v in sources().items() if k not in ("border_gates", "water_levels")}
    assert set(others.values()) == {"fresh"}
    told = running.run("sources", "status").stdout
    assert "1 failing, 8 fresh, 1 late" in told
    assert "503" in told
    alerts = httpx.get(f"{running.url}/alerts", params={"layer": "water_levels"}).json()["alerts"]
    assert ("stale_source", True) in [(one["rule"], one["simulated"]) for one in alerts]
    assert all(one["simulated"] for one in alerts)
    # Each record says that it is simulated; those with places lie beyond these communes.
    lakes = httpx.get(f"{running.url}/ogc/collections/reservoir_levels/items").json()["features"]
    assert len(lakes) == 4
    assert all("mô phỏng" in one["properties"]["note"] for one in lakes)


def test_a_second_start_does_no_work_again(running: Service):
    running.processes[-1].send_signal(signal.SIGTERM)
    running.processes[-1].wait(60)
    first = running.log()
    running.start()
    second = running.log()[len(first) :]
    assert "==> boundaries" in first
    assert "==> simulated records" in first
    assert "==> boundaries" not in second
    assert "==> simulated records" not in second


def test_a_port_in_use_is_reported_before_any_work(home: Path):
    with socket.socket() as taken, service(home / "port") as made:
        taken.bind(("127.0.0.1", made.port))
        taken.listen()
        done = made.run("up")
    assert done.returncode == 7
    assert f"port {made.port} is in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("up",), ("alerts", "list"), ("hotspots", "run")])
def test_a_database_that_is_down_is_one_clear_message(home: Path, words: tuple[str, ...]):
    nobody = "postgresql://nobody@127.0.0.1:1/none"
    with service(home / "down", GIS_DATABASE_URL=nobody) as made:
        done = made.run(*words)
    assert done.returncode == 7
    assert done.stderr.strip().splitlines()[-1].startswith("gis: the database cannot be reached")
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named(home: Path):
    with service(home / "setting", GIS_LOG_LEVEL="loud") as made:
        done = made.run("layers", "list")
    assert done.returncode == 2
    assert "GIS_LOG_LEVEL" in done.stderr
    assert "Traceback" not in done.stderr


LAYER = """
id: springs
title: {vi: Mạch nước, en: Springs}
description: {vi: Mạch nước, en: Springs}
department: {vi: Sở, en: Department}
licence: MIT
geometry: point
source: {connector: file, key: id, coordinates: {x: lon, y: lat}, time: {column: at}}
fields:
  name: {type: text, label: {vi: Tên, en: Name}}
tiles: {}
alerts:
  rules:
    - {kind: count, id: any, title: {vi: Có mạch nước, en: A spring}, at_least: 1, hours: 24}
"""


@pytest.fixture(scope="module")
def bare(home: Path, grid: str) -> Iterator[Service]:
    """`gis up` without the demo, on layer files of its own."""
    folder = home / "layers"
    shutil.copytree(ROOT / "layers", folder, ignore=lambda _, names: not_yaml(names))
    settings = {
        "GIS_BOUNDARIES": grid,
        "GIS_LAYERS": str(folder),
        "GIS_DEMO": "false",
        "GIS_PUBLISH_ALERTS": "all",
    }
    with service(home / "bare", **settings) as made:
        made.start()
        yield made


def test_a_layer_that_is_added_appears_while_the_service_runs(bare: Service, tmp_path: Path):
    assert bare.run("db", "reset", "--yes").returncode == 6
    Path(bare.settings["GIS_LAYERS"], "springs.yaml").write_text(LAYER, encoding="utf-8")
    rows = tmp_path / "springs.csv"
    rows.write_text("id,name,lon,lat,at\n1,Suối Vàng,103.65,21.45,2020-01-01\n", encoding="utf-8")
    assert bare.run("layers", "sync").returncode == 0
    assert bare.run("layers", "load", "springs", str(rows)).returncode == 0
    wait_until(lambda: httpx.get(f"{bare.url}/ogc/collections/springs").is_success)
    items = httpx.get(f"{bare.url}/ogc/collections/springs/items").json()["features"]
    assert [one["properties"]["name"] for one in items] == ["Suối Vàng"]
    assert httpx.get(f"{bare.url}/tiles/springs/8/201/112.mvt").is_success


def test_a_load_that_is_killed_leaves_nothing_and_can_be_repeated(bare: Service, tmp_path: Path):
    reports = tmp_path / "many.csv"
    written = bare.run("demo", "write", str(reports), "--records", str(MANY))
    assert written.returncode == 0, written.stderr
    words = ["layers", "load", "citizen_reports", str(reports), "--json"]
    killed = subprocess.Popen([*GIS, *words], env=bare.environment, cwd=ROOT)
    wait_until(lambda: is_written(bare, "layer.citizen_reports"), within_s=300)
    assert killed.poll() is None
    killed.kill()
    killed.wait(30)
    address = f"{bare.url}/ogc/collections/citizen_reports/items"
    assert httpx.get(address, params={"limit": 1}).json()["numberMatched"] == 0
    again = json.loads(bare.run(*words).stdout)
    assert again["added"] + again["outside"] + again["quarantined"] == again["read"] > MANY


def test_a_private_server_that_is_killed_comes_back_and_so_do_the_alarms(
    bare: Service, tmp_path: Path
):
    def documents() -> int:
        with psycopg.connect(bare.cluster.url) as connection:
            return connection.execute("SELECT count(*) FROM gis.cap_message").fetchone()[0]

    before = documents()
    os.kill(bare.cluster.postmaster, signal.SIGKILL)
    wait_until(lambda: not bare.is_ready())
    wait_until(bare.is_ready, every_s=0.2)
    spring = f"id,name,lon,lat,at\n2,Suối Bạc,103.65,21.45,{datetime.now(UTC).isoformat()}\n"
    rows = tmp_path / "springs.csv"
    rows.write_text(spring, encoding="utf-8")
    assert bare.run("layers", "load", "springs", str(rows)).returncode == 0
    wait_until(lambda: httpx.get(f"{bare.url}/alerts?layer=springs").json()["alerts"] != [])
    wait_until(lambda: documents() > before)  # the publisher is back too
    assert bare.log().count("PostgreSQL has died and is started again") == 1
    assert "Traceback" not in bare.log()


def test_a_killed_service_recovers_by_itself(bare: Service):
    bare.processes[-1].kill()
    bare.processes[-1].wait(30)
    assert not bare.is_ready()
    again = bare.start()
    again.send_signal(signal.SIGINT)
    assert again.wait(60) == 0
    assert not bare.cluster.is_running()


def not_yaml(names: list[str]) -> set[str]:
    return {name for name in names if not name.endswith(".yaml")}


def is_written(made: Service, table: str) -> bool:
    """Whether a transaction that is still open has written to the table."""
    asked = "SELECT 1 FROM pg_locks WHERE relation = %s::regclass AND mode = 'RowExclusiveLock'"
    with psycopg.connect(made.cluster.url) as connection:
        return connection.execute(asked, [table]).fetchone() is not None
