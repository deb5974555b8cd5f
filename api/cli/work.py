"""gis work: run jobs, evaluate alarms and send notifications, beside `gis serve`."""

import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import say, step
from api.cli.serve import stop

if TYPE_CHECKING:
    from gis.jobs.worker import JobRunner

_WORK_CONNECTIONS = 12
_SENDER_CONNECTIONS = 6
# Seconds after which an idle process of jobs ends; None: never, since alarms wait for no import.
_IDLE_S = {"prompt": None, "slow": 60.0, "loads": 60.0, "feeds": 20.0, "processes": 300.0}


def work() -> None:
    """Run jobs, evaluate alarms and send notifications, for any number of `gis serve`.

    Of several on one database, on any machines, one leads: what time alone makes due is done once.
    When it ends, another leads within a second.

    Example: gis work
    """
    from api.logs import configure_logs
    from gis.database.connect import retried
    from gis.notify.cap.approval import publish_at_once
    from gis.notify.dispatch import sender_of
    from gis.notify.senders import delivering
    from layers.jobs.service import watching

    settings = read_settings()
    catalogue = read_layers(settings)
    configure_logs(settings)
    signal.signal(signal.SIGTERM, stop)
    with suppress(KeyboardInterrupt), database_in_use() as database, retried(settings):
        # Connections of their own, so that alarms never wait for slow receivers.
        worked, sent = database.apart(_WORK_CONNECTIONS), database.apart(_SENDER_CONNECTIONS)
        with worked.writing() as connection:
            publish_at_once(connection, settings.publish_alerts)
        runners = partial(_processes, database.url)
        with (
            watching(
                worked,
                settings.layers,
                catalogue,
                settings.runs_kept_days,
                runners,
                settings.undeclared_days,
                settings.rasters,
                settings.more_layers,
            ) as pulse,
            delivering(sent, sender_of(settings), settings.cap_sender, pulse),
        ):
            step("working (Ctrl-C stops)")
            threading.Event().wait()
    say("stopped")


def _processes(url: str, stopped: threading.Event) -> "Mapping[str, JobRunner]":
    """A process for each lane of jobs."""
    from gis.jobs.process import JobProcess
    from layers.jobs.kinds import LANES

    command = [sys.executable, "-m", "api.job_process"]
    return {lane: JobProcess([*command, lane], url, stopped, _IDLE_S[lane]) for lane in LANES}
