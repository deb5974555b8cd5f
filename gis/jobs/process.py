"""Processes in which heavy jobs run: with limits, killed at any moment, dying with the worker.

A worker that computed in its own threads could neither end a run that takes too long, nor survive
one that takes too much memory. The process is kept between jobs, since its imports take seconds.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import orjson

from gis import errors
from gis.errors import JobCrashed, JobFailed, Superseded
from gis.jobs.kind import JobKind, Report
from gis.jobs.queue import Claim

_LOOK_EVERY_S = 0.1  # at memory and time
_ASK_EVERY_S = 0.5  # whether the job is still wanted
_STARTS_WITHIN_S = 120.0  # a busy machine needs long to import what jobs need
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class WorkerStops(Exception):
    """A job was ended because its worker stops."""


class JobProcess:
    """A process that runs jobs of one lane, one after the other; for one thread of the worker.

    `command` is to call `gis.jobs.child.serve_jobs` with the two arguments that are added to it.
    After `idle_s` seconds without a job the process ends; None: it is kept, and there before the
    first job.
    """

    def __init__(
        self, command: Sequence[str], url: str, stopped: threading.Event, idle_s: float | None
    ) -> None:
        self._command = command
        self._url = url
        self._stopped = stopped
        self._idle_s = idle_s
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Connection | None = None
        self._used_at = 0.0

    def run(self, kind: JobKind, held: Claim, is_held: Callable[[], bool], report: Report) -> None:
        """Returns once the job has stored its result and ended.

        Raises Superseded for a job that is no longer wanted, JobFailed beyond a limit, JobCrashed
        where the process ended by itself, WorkerStops, and the errors of the job.
        """
        try:
            answer = self._answer_to(kind, held, is_held, report)
        except (EOFError, OSError) as error:
            raise JobCrashed(f"its process ended: {self._end()}") from error
        except BaseException:
            self._end()
            raise
        self._used_at = time.monotonic()
        if "error" in answer:
            raise getattr(errors, answer["error"])(answer["why"])

    def rest(self) -> None:
        """End a process that is idle for long, start one that is kept; called between jobs."""
        if self._idle_s is None:
            self._started()
        elif self._process is not None and time.monotonic() > self._used_at + self._idle_s:
            self._end()

    def close(self) -> None:
        self._end()

    def _answer_to(
        self, kind: JobKind, held: Claim, is_held: Callable[[], bool], report: Report
    ) -> dict[str, Any]:
        asked = time.monotonic()
        until = asked + _STARTS_WITHIN_S
        channel = self._started()
        channel.send_bytes(orjson.dumps(asdict(held)))
        while True:
            if channel.poll(_LOOK_EVERY_S):
                answer: dict[str, Any] = orjson.loads(channel.recv_bytes())
                if "began" in answer:
                    until = time.monotonic() + kind.time_s
                elif "progress" in answer:
                    report(answer["progress"], answer["message"])
                else:
                    return answer
            if self._stopped.is_set():
                raise WorkerStops
            self._check_limits(kind, until)
            if time.monotonic() > asked + _ASK_EVERY_S:
                asked = time.monotonic()
                if not is_held() and not channel.poll(_LOOK_EVERY_S):  # it may just have ended
                    raise Superseded(f"job {held.id} was cancelled, or taken up elsewhere")

    def _check_limits(self, kind: JobKind, until: float) -> None:
        if time.monotonic() > until:
            raise JobFailed(
                f"it took longer than {kind.time_s:g} s, which is the limit of {kind.name}"
            )
        memory_mb = self._memory_mb()
        if memory_mb > kind.memory_mb:
            raise JobFailed(
                f"its process took {memory_mb:.0f} MB, and {kind.memory_mb} MB is the limit of "
                f"{kind.name}"
            )

    def _memory_mb(self) -> float:
        """Resident memory of the process, 0 where it has ended.

        RLIMIT_AS counts what libraries reserve and never touch, which is gigabytes.
        """
        assert self._process is not None
        try:
            words = Path(f"/proc/{self._process.pid}/statm").read_text().split()
        except OSError:
            return 0.0
        return int(words[1]) * _PAGE_BYTES / 2**20

    def _started(self) -> Connection:
        if self._process is not None and self._process.poll() is not None:
            self._end()  # killed between two jobs, which is nobody's fault
        if self._channel is None:
            self._channel, theirs = Pipe()
            with theirs:
                arguments = [str(theirs.fileno()), str(os.getpid())]
                self._process = subprocess.Popen(
                    [*self._command, *arguments], pass_fds=[theirs.fileno()]
                )
            # By the pipe, since others may read command lines, and the environment is inherited.
            self._channel.send_bytes(self._url.encode())
        return self._channel

    def _end(self) -> str:
        """Kill the process, if it has not ended; gives how it ended."""
        if self._process is None or self._channel is None:
            return "it never began"
        self._channel.close()
        try:
            code = self._process.wait(0.1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process = self._channel = None
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
