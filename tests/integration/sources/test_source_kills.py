"""Whatever a run of a source is doing when it is killed: nothing is lost, and nothing comes twice.

Two layers read the same files. The runs of one are killed and go on; those of the other are not,
and both hold the same in the end.
"""

import itertools
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gis.database.cluster import Cluster
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.sources.state import enter_sources
from tests import soak
from tests.databases import killable_cluster
from tests.integration.killed_loads import (
    LAYER,
    WITHIN_S,
    count_loads,
    environment,
    marked_province,
    report,
    state_of,
    wait_for_backends,
    write_wells,
)
from tests.integration.load_killing import ANY, COMMITTED, PROGRAM, SENT, arm, steps
from tests.source_layers import run

FEED = (
    "{{connector: folder, read: {{path: {id}, settle_s: 0, whole: true}}, name: register,"
    " key: code, coordinates: {{x: lon, y: lat}}, address: address, deletions: mirror}}"
)
IDS = ("wells", "calm")
# Phase and step of it; the last is the commit that stored the batch, before its file is moved.
KILLS = (("any", 4), ("staging", 3), ("hex counts", 2), (SENT, 2), (COMMITTED, 2))


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with killable_cluster() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("source_kills")
    (made / "layers").mkdir()
    for layer_id in IDS:
        text = LAYER.format(id=layer_id, geometry="point", source=FEED.format(id=layer_id))
        (made / "layers" / f"{layer_id}.yaml").write_text(text + "hexes: {category: kind}\n")
        (made / "home" / "inbox" / layer_id).mkdir(parents=True)
    return made


@pytest.fixture(scope="module")
def layers(folder: Path) -> Catalogue:
    return read_catalogue(folder / "layers")


@pytest.fixture(scope="module")
def province(
    server: Cluster, catalogue: Catalogue, layers: Catalogue, tmp_path_factory
) -> Iterator[Database]:
    with marked_province(server, catalogue, layers, tmp_path_factory.mktemp("toy")) as database:
        with database.writing() as connection:
            enter_sources(connection, layers.layers)
        yield database


def put_editions(folder: Path, number: int) -> None:
    """Two files that wait at once: a run stores both, each in a transaction of its own."""
    for layer_id in IDS:
        inbox = folder / "home" / "inbox" / layer_id
        for n, edition in enumerate((number % 2, (number + 1) % 2)):
            path = write_wells(inbox / f"{number}-{n}.csv", edition)
            os.utime(path, (number * 10 + n, number * 10 + n))


def run_killed(server: Cluster, folder: Path) -> int:
    """`gis sources run` as a process of its own; gives its exit code."""
    done = subprocess.run(
        [*PROGRAM, str(folder), "sources", "run", "wells"], env=environment(server, folder),
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert done.returncode in (-9, 0), done.stderr
    return done.returncode


def kills() -> Iterator[tuple[str, int]]:
    """In the long form each step of a run, until one is whole."""
    if soak.LONG:
        yield from ((ANY, k) for k in itertools.count(1))
    yield from KILLS


def test_a_killed_run_goes_on_and_stores_each_file_once(
    server: Cluster, province: Database, layers: Catalogue, folder: Path
):
    wells, calm, inbox = layers.get("wells"), layers.get("calm"), folder / "home" / "inbox"
    phases = Counter[str]()
    for number, (phase, step) in enumerate(kills()):
        put_editions(folder, number)
        arm(folder, phase, step)
        code = run_killed(server, folder)
        is_over = (folder / "armed").exists()
        if is_over:  # the run had fewer steps, and is whole
            (folder / "armed").unlink()
            assert code == 0
        else:
            assert code == -9
            phases[steps(folder)[-1][0]] += 1
            wait_for_backends(server, folder)
        again = run(province, wells, inbox)
        assert again.state == "complete", again.why
        assert run(province, calm, inbox).state == "complete"
        assert state_of(server, wells) == state_of(server, calm), (phase, step)
        assert count_loads(server, wells) == count_loads(server, calm), (phase, step)
        for layer_id in IDS:
            assert len(list((inbox / layer_id / "done").iterdir())) == 2 * (number + 1)
            assert not list((inbox / layer_id).glob("*.csv"))
        if is_over:
            break
    report("runs of a source", phases)
    wanted = {phase for phase, _ in KILLS if phase != "any"}
    assert wanted - phases.keys() == set()
    with psycopg.connect(server.url) as connection:
        rows = connection.execute(
            "SELECT failures, crashes, started_at, question FROM gis.source"
        ).fetchall()
    assert {row[2] for row in rows} == {None}
    assert {row[3] for row in rows} == {None}
