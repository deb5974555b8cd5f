"""The worker of `gis up` is started again when it dies, after a pause that grows."""

import subprocess
import sys
from itertools import pairwise

from api.worker_supervisor import WorkerSupervisor

ENDS = [sys.executable, "-c", ""]
STAYS = [sys.executable, "-c", "import time; time.sleep(600)"]


class Started:
    """Processes that were started, and when by a clock that the test moves."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.now = 1000.0
        self.at: list[float] = []
        self.last: subprocess.Popen[bytes] | None = None

    def start(self) -> "subprocess.Popen[bytes]":
        self.at.append(self.now)
        self.last = subprocess.Popen(self.command)
        return self.last


def watch(started: Started, supervisor: WorkerSupervisor, seconds: int) -> None:
    for _ in range(seconds):
        supervisor.look()
        if started.command is ENDS and started.last is not None:
            started.last.wait(30)
        started.now += 1


def test_a_worker_that_dies_at_once_is_started_after_pauses_that_grow_to_a_minute() -> None:
    started = Started(ENDS)
    watch(started, WorkerSupervisor(started.start, lambda: started.now), 200)
    # A second passes until it is seen to have ended.
    pauses = [then - before for before, then in pairwise(started.at)]
    assert pauses == [1 + pause for pause in (1, 2, 4, 8, 16, 32, 60, 60)]


def test_a_worker_that_was_sound_for_a_minute_is_started_again_after_a_second() -> None:
    started = Started(STAYS)
    supervisor = WorkerSupervisor(started.start, lambda: started.now)
    for _ in range(2):
        watch(started, supervisor, 70)
        assert started.last is not None
        started.last.kill()
        started.last.wait(30)
        watch(started, supervisor, 3)
    assert len(started.at) == 3
    supervisor.stop()
    assert started.last is not None and started.last.poll() is not None
    watch(started, supervisor, 90)
    assert len(started.at) == 3
