"""The real service as a process of its own, on a free port, with a home of its own."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gis.database.cluster import Cluster

GIS = [sys.executable, "-m", "api.cli"]
ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 600.0


def free_port() -> int:
    """A port of this machine, below those that the kernel gives to clients: of these, one may be
    taken before a service that starts for some seconds listens.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Service:
    """`gis` with its settings; `home` holds its embedded cluster."""

    home: Path
    port: int
    settings: Mapping[str, str]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.home / "postgres")

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GIS_")}
        own = {"GIS_HOME": str(self.home), "GIS_PORT": str(self.port)}
        return kept | own | dict(self.settings)

    def run(self, *words: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*GIS, *words],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def start(self) -> subprocess.Popen[str]:
        """Start `gis up` and wait until it is ready."""
        with (self.home / "out.log").open("a") as log:
            process = subprocess.Popen(
                [*GIS, "up"],
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.processes.append(process)
        self._wait(process)
        return process

    def _wait(self, process: subprocess.Popen[str]) -> None:
        end = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < end:
            if process.poll() is not None:
                break
            if self.is_ready():
                return
            time.sleep(0.2)
        raise AssertionError(f"not ready; the log says: {self.log()[-3000:]}")

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5, verify=False).is_success
        except httpx.HTTPError:
            return False

    def log(self) -> str:
        return (self.home / "out.log").read_text()


@contextmanager
def service(home: Path, **settings: str) -> Iterator[Service]:
    """A service whose processes end and whose data go with the block."""
    home.mkdir(parents=True, exist_ok=True)
    made = Service(home, free_port(), settings)
    try:
        yield made
    finally:
        for process in made.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(60)
        made.cluster.remove()
        shutil.rmtree(home, ignore_errors=True)
