"""Whatever a load is doing when it is killed: nothing of it is stored, or the whole load is."""

import itertools
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
import pytest
import shapely

from gis.access import Role, create_key
from gis.database.cluster import Cluster
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, LoadReport, load_file
from layers.ingest.mode import LoadMode
from tests import soak
from tests.acceptance.service import free_port
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
from tests.waiting import wait_until

POSTMASTER_EVERY = 10  # of the kills in the long form

POINTS = (
    "{connector: file, name: register, key: code, coordinates: {x: lon, y: lat}, address: address}"
)
LAYERS = {
    "wells": LAYER.format(id="wells", geometry="point", source=POINTS)
    + "hexes: {category: kind}\n",
    "calm": LAYER.format(id="calm", geometry="point", source=POINTS) + "hexes: {category: kind}\n",
    "forests": LAYER.format(
        id="forests", geometry="polygon", source="{connector: file, name: register, key: code}"
    ),
}


def write_forests(path: Path, edition: int) -> Path:
    """Squares that cross borders of communes; every fourth moves from edition to edition."""
    features = []
    for n in range(12):
        west = 104.02 + n / 50 + (0.01 * edition if n % 4 == 0 else 0)
        if n % 6 == edition:
            continue
        shape = shapely.box(west, 22.02, west + 0.03, 22.06)
        ring = [] if n == 7 + edition else shapely.geometry.mapping(shape)["coordinates"]
        properties = {"code": f"F{n}", "kind": "rừng", "depth": n + edition, "owner": f"Bà {n}"}
        geometry = {"type": "Polygon", "coordinates": ring}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))
    return path


@dataclass(frozen=True)
class Part:
    """Editions of a register, of which each is loaded over the other; phases that are to die.

    `chunk_rows`: the file is read in chunks of so many records, None: whole.
    """

    layer_id: str
    suffix: str
    phases: tuple[str, ...]
    short: tuple[tuple[str, int, bool], ...]  # phase, step of it, whether the postmaster dies
    chunk_rows: int | None = None

    def edition(self, folder: Path, number: int) -> Path:
        path = folder / f"edition {number}{self.suffix}"
        write = write_wells if self.suffix == ".csv" else write_forests
        return path if path.exists() else write(path, number)

    def kills(self) -> Iterator[tuple[str, int, bool]]:
        """In the long form each step of a load, until one is whole."""
        if not soak.LONG:
            yield from self.short
            return
        yield SENT, 1, False
        tenth = random.Random(soak.SEED).randrange(POSTMASTER_EVERY)
        for k in itertools.count(1):
            yield ANY, k, k % POSTMASTER_EVERY == tenth


_SHARED = ("staging", "begin", "end", "quarantine", "merge", "history", SENT)
POINTS_PART = Part(
    "wells", ".csv", (*_SHARED, "hex counts"),
    (("staging", 9, False), ("merge", 2, True), ("hex counts", 3, False), (SENT, 1, False)),
    chunk_rows=15,
)  # fmt: skip
AREAS_PART = Part(
    "forests", ".geojson", (*_SHARED, "unit shares"),
    (("unit shares", 1, False),),
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with killable_cluster() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `layers/` and the files of the register."""
    made = tmp_path_factory.mktemp("kills")
    (made / "layers").mkdir()
    for layer_id, written in LAYERS.items():
        (made / "layers" / f"{layer_id}.yaml").write_text(written, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def layers(folder: Path) -> Catalogue:
    return read_catalogue(folder / "layers")


@pytest.fixture(scope="module")
def province(
    server: Cluster, catalogue: Catalogue, layers: Catalogue, tmp_path_factory
) -> Iterator[Database]:
    with marked_province(server, catalogue, layers, tmp_path_factory.mktemp("toy")) as database:
        yield database


def load_edition(database: Database, layer: Layer, path: Path) -> LoadReport:
    options = LoadOptions("tests", mode=LoadMode.MIRROR, confirmed=True)
    return load_file(database, layer, path, options)


def run_load(server: Cluster, folder: Path, part: Part, edition: int) -> int:
    """`gis layers load` as a process of its own; gives its exit code."""
    path = part.edition(folder, edition)
    words = ["layers", "load", part.layer_id, str(path), "--mode", "mirror", "--yes"]
    chunked = {"CHUNK_ROWS": str(part.chunk_rows)} if part.chunk_rows else {}
    done = subprocess.run(
        [*PROGRAM, str(folder), *words], env=environment(server, folder) | chunked,
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert done.returncode in (-9, 0) or "database" in done.stderr, done.stderr
    return done.returncode


@pytest.mark.parametrize("part", [POINTS_PART, AREAS_PART], ids=["points", "areas"])
def test_a_killed_load_leaves_nothing_or_the_whole_and_the_next_repairs_it(
    server: Cluster, province: Database, layers: Catalogue, folder: Path, part: Part
):
    layer = layers.get(part.layer_id)
    states = []
    for number in (0, 1, 0, 1):
        load_edition(province, layer, part.edition(folder, number))
        states.append(state_of(server, layer))
    states = states[2:]  # what settled once stays in quarantine as settled
    assert states[0] != states[1]
    before, phases = 1, Counter[str]()
    for phase, step, is_postmaster in part.kills():
        after = 1 - before
        loads = count_loads(server, layer)
        arm(folder, phase, step, server.postmaster if is_postmaster else 0)
        code = run_load(server, folder, part, after)
        if (folder / "armed").exists():  # the load had fewer steps, and is whole
            (folder / "armed").unlink()
            assert code == 0
            assert state_of(server, layer) == states[after]
            break
        last = steps(folder)[-1][0]
        if is_postmaster:
            server.start()
            province.close()
        wait_for_backends(server, folder)
        found = state_of(server, layer)
        assert found in (states[before], states[after]), (last, step)
        is_whole = found == states[after]
        if not is_postmaster:
            assert code == -9
            assert is_whole == (last in (SENT, COMMITTED)), (last, step)
        elif code == 0:
            assert is_whole, (last, step)
        assert count_loads(server, layer) == loads + is_whole, (last, step)
        repaired = load_edition(province, layer, part.edition(folder, after))
        assert (repaired.load_id is None) == is_whole, (last, step)
        assert state_of(server, layer) == states[after], (last, step)
        assert count_loads(server, layer) == loads + 1
        phases["postmaster: " + last if is_postmaster else last] += 1
        before = after
    report(f"load of {part.layer_id}", phases)
    wanted = {phase for phase, _, dies in part.short if not dies}
    assert (set(part.phases) if soak.LONG else wanted) - phases.keys() == set()


CLIENT = """
import socket, sys
port, half = int(sys.argv[1]), sys.argv[2] == "half sent"
request = sys.stdin.buffer.read()
connection = socket.create_connection(("127.0.0.1", port))
connection.sendall(request[: len(request) // 2] if half else request)
print("sent", flush=True)
connection.recv(1)
"""
HALF = "half sent"


@dataclass
class Push:
    """A sensor's series of bodies, each pushed with an Idempotency-Key of its own."""

    folder: Path
    environment: dict[str, str]
    key: str
    port: int = field(default_factory=free_port)
    server: subprocess.Popen[bytes] | None = None
    answers: dict[int, dict[str, Any]] = field(default_factory=dict)

    def serve(self) -> None:
        """Start the server where it does not run, and wait until it answers."""
        if self.server is None or self.server.poll() is not None:
            command = [*PROGRAM, str(self.folder), "serve", str(self.port)]
            self.server = subprocess.Popen(
                command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        wait_until(self.is_ready, within_s=WITHIN_S, every_s=0.1)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5, verify=False).is_success
        except httpx.HTTPError:
            return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def headers(self, number: int) -> dict[str, str]:
        return {"X-API-Key": self.key, "Content-Type": "application/x-ndjson",
                "Idempotency-Key": f"batch {number}"}  # fmt: skip

    def send(self, layer_id: str, number: int) -> dict[str, Any] | None:
        """Push a body; gives the answer, None where the server died of it."""
        try:
            answer = httpx.post(
                f"{self.url}/ingest/{layer_id}?yes=true", content=body(number),
                headers=self.headers(number), timeout=WITHIN_S,
            )  # fmt: skip
        except httpx.HTTPError:
            return None
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def resume(self, layer_id: str, number: int) -> None:
        """Push the series again up to a body, as a client does that lost count: the answers that
        it had come again.
        """
        for each in range(max(0, number - 5), number + 1):
            answer = self.send(layer_id, each)
            assert answer is not None
            assert self.answers.setdefault(each, answer) == answer

    def die_sending(self, layer_id: str, number: int, phase: str) -> None:
        """A client is killed amid its body, or while the server is at a phase of its load."""
        content = body(number)
        head = "\r\n".join(
            [f"POST /ingest/{layer_id}?yes=true HTTP/1.1", f"Host: 127.0.0.1:{self.port}",
             f"Content-Length: {len(content)}",
             *(f"{name}: {value}" for name, value in self.headers(number).items()), "", ""]
        )  # fmt: skip
        program = [sys.executable, "-S", "-c", CLIENT, str(self.port), phase]
        with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            assert client.stdin is not None and client.stdout is not None
            if phase != HALF:
                arm(self.folder, phase, 1, client.pid)
            client.stdin.write(head.encode() + content)
            client.stdin.close()
            assert client.stdout.readline() == b"sent\n"
            if phase == HALF:
                client.kill()
            assert client.wait(WITHIN_S) == -9


def body(number: int) -> bytes:
    """Measurements of the same forty places, some of which fail: later bodies overwrite earlier."""
    lines = [
        {"code": f"S{n}", "kind": ("a", "b")[(n + number) % 2], "owner": f"{number}",
         "depth": "?" if n == number % 7 else f"{n + number}.5",
         "lon": 104.01 + n / 150, "lat": 22.05, "address": "", "phone": "0912345678"}
        for n in range(number % 3, 40)
    ]  # fmt: skip
    return b"\n".join(map(orjson.dumps, lines))


@contextmanager
def pushing(server: Cluster, province: Database, folder: Path) -> Iterator[Push]:
    with province.writing() as connection:
        key = create_key(connection, "sensors", Role.DEPARTMENT, ("wells", "calm"))
    push = Push(folder, environment(server, folder), key)
    try:
        push.serve()
        yield push
    finally:
        if push.server is not None:
            push.server.kill()
            push.server.wait(30)


def push_kills() -> Iterator[tuple[str, str, int]]:
    """Who dies, and at which step: of the server's phases, or of the client."""
    if not soak.LONG:
        yield from [("server", "hex counts", 2), ("client", HALF, 0), ("server", SENT, 1),
                    ("client", "merge", 0)]  # fmt: skip
        return
    clients = itertools.cycle([HALF, "begin", "staging", "merge", "hex counts", COMMITTED])
    for k in itertools.count(1):
        yield "server", ANY, k
        if k % 5 == soak.SEED % 5:
            yield "client", next(clients), 0


def test_a_push_that_dies_on_either_side_and_is_resumed_doubles_nothing(
    server: Cluster, province: Database, layers: Catalogue, folder: Path
):
    layer, calm = layers.get("wells"), layers.get("calm")
    with psycopg.connect(server.url) as connection:
        connection.execute("DELETE FROM layer.wells")
        for table in ("gis.load", "gis.quarantine", "private.reporter", "private.undeclared",
                      "private.address", "gis.row_history"):  # fmt: skip
            connection.execute(f"DELETE FROM {table}")
    phases = Counter[str]()
    with pushing(server, province, folder) as push:
        for number, (who, at, step) in enumerate(push_kills()):
            before, loads = state_of(server, layer), count_loads(server, layer)
            if who == "client":
                push.die_sending(layer.id, number, at)
                phases[f"client: {at}"] += 1
            else:
                arm(folder, at, step)
                answer = push.send(layer.id, number)
                if (folder / "armed").exists():  # the push had fewer steps, and is answered
                    (folder / "armed").unlink()
                    assert answer is not None
                    break
                last = steps(folder)[-1][0]
                assert answer is None
                phases[f"server: {last}"] += 1
                wait_for_backends(server, folder)
                is_whole = last in (SENT, COMMITTED)
                assert (state_of(server, layer) == before) != is_whole, (last, step)
                assert count_loads(server, layer) == loads + is_whole
                push.serve()
            push.resume(layer.id, number)
            assert push.send(calm.id, number) is not None
            assert state_of(server, layer) == state_of(server, calm), (who, at, step)
            assert count_loads(server, layer) == count_loads(server, calm) == number + 1
    report("push", phases)
    if soak.LONG:
        wanted = {f"server: {phase}" for phase in (*_SHARED, "hex counts", COMMITTED)}
        wanted |= {f"client: {phase}" for phase in (HALF, "staging", "merge", "hex counts")}
        assert wanted - phases.keys() == set()
