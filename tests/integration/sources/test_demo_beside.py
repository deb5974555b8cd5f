"""The simulated systems of departments beside `gis up`: who has them, and how they live and end."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from api.demo_sources.beside import beside_demo, with_demo_sources
from api.demo_sources.simulation import LAYER_FILES
from gis.database.cluster import Cluster
from gis.errors import Undeliverable
from gis.settings import Settings
from layers.definition.catalogue import read_catalogue
from layers.jobs.sources import surroundings_of
from layers.sources.run import run_source
from tests.conftest import LAYERS
from tests.source_layers import publish
from tests.waiting import wait_until

NAMES = {path.stem for path in LAYER_FILES.glob("*.yaml")}


def settings_of(home: Path, **more) -> Settings:
    return Settings(_env_file=None, home=home, **more)


def answers(address: tuple[str, int]) -> bool:
    try:
        return httpx.get(f"http://{address[0]}:{address[1]}/reservoirs", timeout=5).is_success
    except httpx.HTTPError:
        return False


def test_the_demo_has_the_systems_their_layers_and_the_right_to_read_them(database, tmp_path):
    settings = settings_of(tmp_path)
    assert with_demo_sources(settings) == settings
    with beside_demo(settings, database):
        demo = with_demo_sources(settings)
        assert demo.demo_address is not None
        wait_until(lambda: answers(demo.demo_address))
        catalogue = read_catalogue(LAYERS, *demo.more_layers)
        assert {each.id for each in catalogue.layers} >= NAMES
        lent = surroundings_of(demo)
        host, port = demo.demo_address
        assert lent.policy.addresses(host, port) == [host]
        with pytest.raises(Undeliverable):  # no other service of this machine
            lent.policy.addresses(host, port + 1)
        layer = catalogue.get("reservoir_levels")
        publish(database, layer)
        assert run_source(database, layer, lent).added == 4
    wait_until(lambda: not answers(demo.demo_address))


def test_a_service_that_starts_again_has_them_at_the_same_address(database, tmp_path):
    settings, addresses = settings_of(tmp_path), []
    for _ in range(2):
        with beside_demo(settings, database):
            addresses.append(with_demo_sources(settings).demo_address)
            stamps = {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*.yaml")}
    assert addresses[0] == addresses[1]
    with socket.create_server(addresses[0]), beside_demo(settings, database):
        other = with_demo_sources(settings).demo_address
        assert other != addresses[0]
        wait_until(lambda: answers(other))
        changed = [
            p.name for p in tmp_path.rglob("*.yaml") if p.stat().st_mtime_ns != stamps[p.name]
        ]
        assert len(changed) == len(NAMES)


def test_a_second_service_over_the_home_leaves_them_to_the_first(database, tmp_path):
    settings = settings_of(tmp_path)
    with beside_demo(settings, database):
        address = with_demo_sources(settings).demo_address
        with beside_demo(settings, database):
            assert with_demo_sources(settings).demo_address == address
        wait_until(lambda: answers(address))


@pytest.mark.parametrize(
    "change",
    [
        {"demo": False},
        {"demo_sources": False},
        {"province": "24"},
        {"database_url": SecretStr("postgresql://gis@db.example.vn/gis")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_who_has_no_demo_has_none_of_them(database, tmp_path, change):
    with beside_demo(settings_of(tmp_path), database):
        pass
    settings = settings_of(tmp_path, **change)
    assert with_demo_sources(settings).demo_address is None  # though the address lies there
    with beside_demo(settings, database):
        assert with_demo_sources(settings).more_layers == ()
        assert not (tmp_path / "demo_sources" / "address.json").exists()


def test_processes_that_are_given_the_private_cluster_by_name_have_them(database, tmp_path):
    url = Cluster(tmp_path / "postgres").url
    with beside_demo(settings_of(tmp_path), database):
        for named in (url, url.replace("postgresql://", "postgresql+psycopg://")):
            child = settings_of(tmp_path, database_url=SecretStr(named))
            assert with_demo_sources(child).demo_address is not None


def test_real_records_end_the_demo_of_departments(database, tmp_path):
    with beside_demo(settings_of(tmp_path), database):
        pass
    with database.writing() as connection:
        connection.execute(_REAL_LOAD)
    with beside_demo(settings_of(tmp_path), database):
        assert with_demo_sources(settings_of(tmp_path)).demo_address is None


def test_a_file_of_the_operator_goes_before_that_of_the_demo(database, tmp_path):
    own = tmp_path / "layers"
    own.mkdir()
    words = (LAYER_FILES / "fire_points.yaml").read_text(encoding="utf-8")
    (own / "fire_points.yaml").write_text(words.replace("(mô phỏng)", "của tôi"), encoding="utf-8")
    settings = settings_of(tmp_path, layers=own)
    with beside_demo(settings, database):
        catalogue = read_catalogue(own, *with_demo_sources(settings).more_layers)
    assert catalogue.get("fire_points").title.vi == "Điểm cháy của tôi"
    assert len(catalogue.layers) == len(NAMES)


PARENT = """
import sys, time
from pathlib import Path
from api.demo_sources.beside import beside_demo, with_demo_sources
from gis.database.engine import Database
from gis.settings import Settings

settings = Settings(home=Path(sys.argv[2]))
with beside_demo(settings, Database(sys.argv[1])):
    print(with_demo_sources(settings).demo_address[1], flush=True)
    time.sleep(600)
"""


def test_they_come_back_when_killed_and_end_with_a_parent_that_is_killed(database, tmp_path):
    words = [sys.executable, "-c", PARENT, database.url, str(tmp_path)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIS_")}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        address = ("127.0.0.1", int(parent.stdout.readline()))
        wait_until(lambda: answers(address))
        first = child_of(parent.pid)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: child_of(parent.pid) not in (first, 0) and answers(address))
        left = child_of(parent.pid)
        parent.kill()
    wait_until(lambda: not Path(f"/proc/{left}/cmdline").exists() or not cmdline(left))
    assert not answers(address)


def child_of(parent: int) -> int:
    """The process of the simulated systems; 0 where there is none."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    for number in " ".join(each.read_text() for each in children).split():
        if b"api.demo_sources" in cmdline(int(number)):
            return int(number)
    return 0


def cmdline(number: int) -> bytes:
    """The command of a process; empty for one that is gone."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""


_REAL_LOAD = text("""
INSERT INTO gis.load (layer_id, source, sha256, loaded_by, read, added, updated, unchanged, outside,
                      quarantined)
VALUES ('field_incidents', 'register', '', 'tests', 1, 1, 0, 0, 0, 0)
""")
