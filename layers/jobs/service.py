"""All that works on layers beside requests: the leader's work, and the lanes of jobs."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gis.database.engine import Database
from gis.jobs.pulse import Pulse
from gis.jobs.session import WorkerSession
from gis.jobs.worker import JobRunner, Worker, working
from gis.settings import UNDECLARED_DAYS
from layers.definition.catalogue import Catalogue
from layers.definition.reload import LayerFiles
from layers.jobs.kinds import job_kinds
from layers.jobs.leadership import leading

type Runners = Callable[[threading.Event], Mapping[str, JobRunner]]


@contextmanager
def watching(
    database: Database,
    folder: Path,
    catalogue: Catalogue,
    kept_days: int,
    runners: Runners,
    undeclared_days: int = UNDECLARED_DAYS,
    rasters: Path | None = None,
    more_layers: Sequence[Path] = (),
) -> Iterator[Pulse]:
    """While inside, runs and alerts are kept up to date, by the layer files as published.

    Runs are kept for `kept_days`, undeclared cells for `undeclared_days`; `rasters` is the folder
    of their files, `more_layers` those of further layer files. `runners` makes what runs the jobs
    of each lane, given the event that ends them. Other threads may wait for bells of the pulse.
    """
    session, stopped = WorkerSession(database), threading.Event()
    pulse = Pulse(session)
    files = LayerFiles(database, folder, catalogue, *more_layers)
    kinds = job_kinds(database, files, rasters=rasters)
    worker = Worker(database, session, kinds, stopped)
    try:
        with (
            working(worker, pulse, kinds, runners(stopped), stopped),
            leading(database, session, pulse, files, kept_days, undeclared_days, rasters),
            pulse.beating(),
        ):
            yield pulse
    finally:
        session.close()
