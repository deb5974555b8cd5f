"""Supervisor of the worker of `gis up`: starts it again when it dies, after a pause that grows."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from gis.jobs.periodic import repeating

log = structlog.get_logger("work")

_LOOK_EVERY_S = 0.5
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_SOUND_AFTER_S = 60.0  # a worker that dies sooner waits twice as long as the last time
_STOPS_WITHIN_S = 10.0


class WorkerSupervisor:
    """Keeps one process running; for one thread, with which the process would end."""

    def __init__(
        self,
        start: Callable[[], "subprocess.Popen[bytes]"],
        clock: Callable[[], float] = time.monotonic,
        name: str = "worker",
    ) -> None:
        self._start = start
        self._name = name
        self._clock = clock  # seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._due_at = 0.0
        self._pause_s = 0.0
        self._stopped = False

    def look(self) -> None:
        """Start the process where there is none, unless it is to pause."""
        now = self._clock()
        if self._process is not None and self._process.poll() is not None:
            lasted = now - self._started_at > _SOUND_AFTER_S
            self._pause_s = (
                _FIRST_PAUSE_S
                if lasted or not self._pause_s
                else min(2 * self._pause_s, _LONGEST_PAUSE_S)
            )
            self._due_at = now + self._pause_s
            log.error(
                f"the {self._name} has ended and is started again",
                exit_code=self._process.returncode, in_s=self._pause_s,
            )  # fmt: skip
            self._process = None
        if self._process is None and now >= self._due_at and not self._stopped:
            self._process, self._started_at = self._start(), now

    def stop(self) -> None:
        self._stopped = True
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def supervised(url: str) -> Iterator[None]:
    """While inside, a worker runs in a process of its own over the database of this URL."""

    def start() -> "subprocess.Popen[bytes]":
        # By the environment, as serving processes have it: the embedded cluster is ours to watch.
        environment = os.environ | {"GIS_DATABASE_URL": url}
        command = [sys.executable, "-m", "api.worker_process", str(os.getpid())]
        # A session of its own: Ctrl-C is for this process, which then stops the worker.
        return subprocess.Popen(command, env=environment, start_new_session=True)

    supervisor = WorkerSupervisor(start)
    with repeating("worker", supervisor.look, every_s=_LOOK_EVERY_S):
        try:
            yield
        finally:
            supervisor.stop()
