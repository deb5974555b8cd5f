"""The process in which jobs run, seen from inside: it takes one after the other from its worker."""

import os
import queue
import signal
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, Never

import orjson
import structlog

from gis.database.engine import Database
from gis.errors import GisError
from gis.jobs.kind import JobKind, RunningJob, run_here
from gis.jobs.parent import die_with
from gis.jobs.queue import Claim

log = structlog.get_logger("work")

_CONNECTIONS = 4


def serve_jobs(
    channel: Connection, parent: int, kinds_of: Callable[[Database], Mapping[str, JobKind]]
) -> Never:
    """Run the jobs that come by the channel, until the worker closes it or ends."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, which ends this one
    database = Database(channel.recv_bytes().decode(), connections=_CONNECTIONS)
    kinds = kinds_of(database)
    inbox: queue.SimpleQueue[Claim] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(channel, inbox), daemon=True).start()
    while True:
        held = inbox.get()
        channel.send_bytes(orjson.dumps({"began": held.id}))
        answer = _answer(kinds[held.kind], database, held, channel)
        channel.send_bytes(orjson.dumps(answer))


def _receive(channel: Connection, inbox: "queue.SimpleQueue[Claim]") -> None:
    """Beside the jobs, so that a worker that is gone ends them at once."""
    try:
        while True:
            inbox.put(Claim(**orjson.loads(channel.recv_bytes())))
    except (EOFError, OSError):
        os._exit(1)


def _answer(kind: JobKind, database: Database, held: Claim, channel: Connection) -> dict[str, Any]:
    """Run one job; gives its error, by the name of a class of gis.errors."""

    def report(progress: float | None, message: str) -> None:
        channel.send_bytes(orjson.dumps({"progress": progress, "message": message}))

    try:
        run_here(kind, RunningJob(database, held, report))
    except GisError as error:
        return {"error": type(error).__name__, "why": str(error)}
    except Exception as error:
        log.exception("failed", job=held.id, kind=held.kind)
        why = f"unexpected {type(error).__name__}: the log tells where"
        return {"error": "JobFailed", "why": why}
    return {"done": True}
