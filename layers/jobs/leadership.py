"""What the leader does: it follows layer files and the roster, queues what is due, and looks after
alerts.

Of all workers of a database one leads, so that time is acted on once. When it ends, another leads
within a second.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gis.alerts.self_monitoring import LAYER_FILE
from gis.clock import today
from gis.database.engine import Database
from gis.errors import BadLayerFile
from gis.jobs.periodic import repeating
from gis.jobs.pulse import Pulse
from gis.jobs.queue import prune_jobs
from gis.jobs.session import WorkerSession
from gis.rasters.store import delete_unused
from layers.definition.catalogue import Catalogue
from layers.definition.reload import LayerFiles
from layers.jobs.alert_maintenance import advance_all
from layers.jobs.covers import fill_waiting_covers
from layers.jobs.detection import DetectionScheduler, forget_old_runs
from layers.jobs.failures import Failures
from layers.jobs.letters import queue_letters
from layers.jobs.places import queue_places
from layers.jobs.retention import forget_measurements, forget_sent
from layers.jobs.roster import RosterDuty
from layers.jobs.sources import SourceScheduler
from layers.processes.runs import forget_expired

_LOOK_EVERY_S = 5.0  # without a bell: at what time alone changes
_ROSTER_EVERY_S = 15.0  # shifts begin and end at whole minutes
_PROMISES_EVERY_S = 2.0
_LETTERS_EVERY_S = 60.0
_FORGET_EVERY_S = 3600.0


class FileFaults:
    """Layer files at fault: they stop nothing, and are alerts as failures are."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._good: set[str] = set()  # layers whose files are known to be right

    def heed(self, files: LayerFiles, now: datetime) -> None:
        for layer in files.catalogue.layers:
            faults = files.faults_of(layer)
            if not faults and layer.id not in self._good:
                self._failures.worked(layer, LAYER_FILE)
                self._good.add(layer.id)
            elif faults:
                self._good.discard(layer.id)
                if not self._failures.waits(layer, LAYER_FILE, now):
                    self._failures.failed(layer, LAYER_FILE, BadLayerFile("\n".join(faults)))


class _Duties:
    """What is due, by the layer files in force; whatever it queues is claimed at once."""

    def __init__(
        self,
        database: Database,
        pulse: Pulse,
        files: LayerFiles,
        failures: Failures,
        rasters: Path | None,
    ) -> None:
        self._database = database
        self._pulse = pulse
        self._rasters = rasters
        self._files = files
        self._runs = DetectionScheduler(database, failures)
        self._roster = RosterDuty(database)
        self._sources = SourceScheduler(database)

    def queue_runs(self) -> None:
        layers, now = self._layers(), datetime.now(UTC)
        if self._runs.queue_runs(layers, now) + self._runs.queue_nulls(layers, now):
            self._pulse.hurry()

    def keep_alerts(self) -> None:
        advance_all(self._database, self._layers(), datetime.now(UTC), self._rasters)

    def queue_places(self) -> None:
        if queue_places(self._database):
            self._pulse.hurry()

    def fill_covers(self) -> None:
        fill_waiting_covers(self._database, self._layers())

    def follow_roster(self) -> None:
        self._roster.follow(self._layers(), datetime.now(UTC))

    def queue_sources(self) -> None:
        if self._sources.queue_round(self._layers()):
            self._pulse.hurry()

    def queue_letters(self) -> None:
        if queue_letters(self._database, datetime.now(UTC)):
            self._pulse.hurry()

    def judge_promises(self) -> None:
        self._sources.judge_promises(self._files.catalogue)

    def _layers(self) -> Catalogue:
        self._files.follow()
        return self._files.catalogue


@contextmanager
def leading(
    database: Database,
    session: WorkerSession,
    pulse: Pulse,
    files: LayerFiles,
    kept_days: int,
    undeclared_days: int,
    rasters: Path | None = None,
) -> Iterator[None]:
    """While inside, this worker does what is the leader's whenever it leads.

    Runs older than `kept_days` are forgotten, but for those that alerts rest on, and undeclared
    cells that were sent more than `undeclared_days` ago. In the folder `rasters` files are deleted
    that were replaced.
    """
    failures = Failures(database)
    duties = _Duties(database, pulse, files, failures, rasters)
    file_faults = FileFaults(failures)

    def follow() -> None:  # every worker: it runs jobs by these files
        files.follow()
        if session.is_leader:
            file_faults.heed(files, datetime.now(UTC))

    def forget() -> None:
        forget_old_runs(database, files.catalogue, datetime.now(UTC), kept_days)
        with database.writing() as connection:
            prune_jobs(connection)
            forget_sent(connection, undeclared_days)
            forget_expired(connection)
        forget_measurements(database, files.catalogue, today())
        if rasters is not None:
            delete_unused(database, rasters)

    def led(work: Callable[[], None]) -> Callable[[], None]:
        return lambda: work() if session.is_leader else None

    with ExitStack() as threads:
        for name, work, every_s, columns in (
            ("layer files", follow, _LOOK_EVERY_S, ["files_published", "leader"]),
            ("schedule", led(duties.queue_runs), _LOOK_EVERY_S,
             ["rows_changed", "files_published", "job_ended", "leader"]),
            ("alerts", led(duties.keep_alerts), _LOOK_EVERY_S,
             ["rows_changed", "alert_stepped", "leader"]),
            ("places", led(duties.queue_places), _LOOK_EVERY_S, []),
            ("covers", led(duties.fill_covers), _LOOK_EVERY_S, ["rows_changed", "leader"]),
            ("roster", led(duties.follow_roster), _ROSTER_EVERY_S, ["leader"]),
            ("sources", led(duties.queue_sources), _LOOK_EVERY_S,
             ["source_due", "files_published", "leader"]),
            ("letters", led(duties.queue_letters), _LETTERS_EVERY_S, ["leader"]),
            ("promises", led(duties.judge_promises), _PROMISES_EVERY_S, ["leader"]),
            ("forget", led(forget), _FORGET_EVERY_S, []),
        ):  # fmt: skip
            bell = pulse.bell(*columns)
            threads.enter_context(repeating(name, work, every_s=every_s, bell=bell))
        yield
