"""Starts real parts of the service that end as if killed after their k-th statement.

`python -m tests.integration.jobs.killing FOLDER worker` works as `gis work` does, with processes of
jobs that begin as `… FOLDER job`, and `… FOLDER server PORT` serves. Which part is to die, at which
statement and who dies with it stands in the file `armed` of the folder while nobody has died of it;
`phases` gets a line for each kill.
"""

import faulthandler
import fcntl
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from gis.database.engine import Database
from gis.jobs.child import serve_jobs
from gis.jobs.process import JobProcess
from layers.definition.catalogue import read_catalogue
from layers.definition.reload import LayerFiles
from tests.conftest import LAYERS

PROGRAM = [sys.executable, "-m", "tests.integration.jobs.killing"]

# Phases of parts, by a word of the statement; the first that fits.
PHASES = {
    "job": {
        "commit": "commit",
        "end": "set state = 'succeeded'",
        "store": "insert into gis.",
        "alerts": "gis.alert",
        "begin": "pg_advisory_xact_lock",
        "read": "from layer.",
    },
    "worker": {
        "commit": "commit",
        "queue": "insert into gis.job",
        "claim": "set state = 'running'",
        "pulse": "gis.pulse",
        "send": "gis.delivery",
        "alerts": "gis.alert",
    },
    "server": {"commit": "commit", "store": "layer.", "ask": ""},
}


def arm(folder: Path, part: str, statement: int, victim: int = 0, phase: str = "any") -> None:
    """Have a part die after its k-th statement from now on, or after its k-th of a phase.

    `victim`: a process to kill instead.
    """
    (folder / "new").write_text(f"{part} {statement} {victim} {phase}")
    (folder / "new").rename(folder / "armed")


def is_dead(folder: Path) -> bool:
    """Who was killed last has ended: it disarms itself a moment before it dies."""
    try:
        status = Path("/proc", (folder / "victim").read_text(), "stat").read_text()
    except FileNotFoundError:  # nobody was killed, or it is gone
        return True
    return status.rpartition(")")[2].split()[0] in "ZX"


class Trigger:
    """Counts the statements of this process, and kills when the time has come."""

    def __init__(self, folder: Path, part: str) -> None:
        self.folder = folder
        self.part = part
        self.counting = threading.Lock()
        self.armed = ""
        self.count = 0
        event.listen(Engine, "after_cursor_execute", self.after_statement)
        event.listen(Engine, "commit", lambda connection: self.step("commit"))

    def after_statement(self, connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        self.step(statement)

    def step(self, statement: str) -> None:
        with self.counting:
            try:
                armed = (self.folder / "armed").read_text()
            except FileNotFoundError:
                return
            if armed != self.armed:
                self.armed, self.count = armed, 0
            part, after, victim, wanted = armed.split()
            if part != self.part or not (self.is_work(statement) or wanted != "any"):
                return
            self.count += wanted in ("any", self.phase_of(statement))
            if self.count >= int(after):
                self.kill(statement, int(victim) or os.getpid())

    def is_work(self, statement: str) -> bool:
        """A worker that waits looks again and again; its work begins when it queues a job."""
        return self.part != "worker" or self.count > 0 or "INSERT INTO gis.job" in statement

    def phase_of(self, statement: str) -> str:
        words = " ".join(statement.lower().split())
        return next((name for name, word in PHASES[self.part].items() if word in words), "other")

    def kill(self, statement: str, victim: int) -> None:
        with (self.folder / "phases").open("a") as book:
            fcntl.flock(book, fcntl.LOCK_EX)
            book.write(f"{self.part} {self.phase_of(statement)}\n")
        (self.folder / "victim").write_text(str(victim))
        (self.folder / "armed").unlink()
        os.kill(victim, signal.SIGKILL)


def run_jobs(channel: Connection, parent: int) -> None:
    from layers.jobs.kinds import job_kinds

    catalogue = read_catalogue(LAYERS)
    serve_jobs(
        channel, parent,
        lambda database: job_kinds(database, LayerFiles(database, LAYERS, catalogue)),
    )  # fmt: skip


def work(folder: Path, url: str) -> None:
    from gis.notify.dispatch import Sender
    from gis.notify.senders import delivering
    from layers.jobs.kinds import LANES
    from layers.jobs.service import watching

    database = Database(url)
    command = [*PROGRAM, str(folder), "job"]

    def runners(stopped: threading.Event) -> dict[str, JobProcess]:
        # Kept, but for that of processes, of which most tests have none.
        idle = {"processes": 60.0}
        return {lane: JobProcess(command, url, stopped, idle.get(lane)) for lane in LANES}

    with (
        watching(database, LAYERS, read_catalogue(LAYERS), 400, runners) as pulse,
        delivering(database, Sender({}), "ioc.example.vn", pulse),
    ):
        threading.Event().wait()


def serve(url: str, port: int) -> None:
    import uvicorn

    from api.worker import create

    os.environ["GIS_DATABASE_URL"] = url
    uvicorn.run(create(), host="127.0.0.1", port=port, log_level="critical")


if __name__ == "__main__":
    at, part, *more = sys.argv[1:]
    faulthandler.register(signal.SIGUSR1)  # a test asks so what a part that hangs is doing
    Trigger(Path(at), part)
    match part:
        case "job":
            run_jobs(Connection(int(more[0])), int(more[1]))
        case "worker":
            work(Path(at), more[0])
        case "server":
            serve(more[0], int(more[1]))
