"""Runs follow the data: an alarm within a second or two of a change, maps at a slower pace."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import text

from gis.alerts.self_monitoring import LAYER_FILE
from gis.database.engine import Database
from gis.errors import BadLayerFile
from gis.jobs.periodic import repeating
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.definition.reload import LayerFiles
from layers.detect import METHODS, RunReport, methods_of, run_method
from layers.detect.method import LatestRun
from layers.detect.null_distribution import NullPrecomputation
from layers.detect.scan_cache import ScanCache
from layers.detect.store import prune
from layers.ingest.regeocode import regeocode
from layers.jobs.alert_maintenance import advance_all
from layers.jobs.failures import Failures

log = structlog.get_logger("watch")

LOOK_EVERY_S = 0.5
PLACE_EVERY_S = 5.0
RECENT_DAYS = 7  # within which every run is kept, not only the last of each day

# The newest run of each method of these layers, by the end of its window.
_NEWEST = text("""
SELECT l.id, l.version, r.method, r.input_version, r.input_until, r.run_at,
       gis.has_better_null(r.id) AS has_better_null
FROM gis.layer l
LEFT JOIN LATERAL (
  SELECT DISTINCT ON (method) id, method, input_version, input_until, run_at
  FROM gis.hotspot_run WHERE layer_id = l.id
  ORDER BY method, input_until DESC, id DESC) AS r ON true
WHERE l.id = ANY(:layers)
""")


@dataclass(frozen=True, slots=True)
class DueRun:
    """A method that is to be run on a layer."""

    layer: Layer
    method: str


def due_runs(database: Database, catalogue: Catalogue, now: datetime) -> list[DueRun]:
    """The runs that are due now, the alarms of all layers first.

    When rows changed, on each new day, and when a null distribution was drawn that a run had to do
    without; each method at its own pace (`Method.is_due`).
    """
    wanted = {layer.id: layer for layer in catalogue.layers if layer.hotspots}
    newest: dict[tuple[str, str], LatestRun] = {}
    known: set[str] = set()
    with database.reading() as connection:
        for row in connection.execute(_NEWEST, {"layers": list(wanted)}):
            known.add(row.id)
            if row.method is not None:
                knows = row.input_version == row.version and not row.has_better_null
                newest[row.id, row.method] = LatestRun(knows, row.input_until, row.run_at)
    due = [
        DueRun(layer, method)
        for layer_id, layer in wanted.items()
        for method in methods_of(layer)
        if layer_id in known and _is_due(layer, method, newest.get((layer_id, method)), now)
    ]
    return sorted(due, key=lambda one: list(METHODS).index(one.method))


def _is_due(layer: Layer, name: str, latest: LatestRun | None, now: datetime) -> bool:
    if latest is None:
        return True
    if layer.hotspots is None or latest.until > now:
        return False
    method = METHODS[name]
    return method.is_due(method.options_of(layer.hotspots), latest, now)


class Runner:
    """Runs what is due; a failure stops no other run (see layers.jobs.failures)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._failures = Failures(database)
        self._drawer = NullPrecomputation(database)
        self._scans = ScanCache()

    def run_due(self, catalogue: Catalogue, now: datetime) -> list[RunReport]:
        due = due_runs(self._database, catalogue, now)
        reports = [self._run(one) for one in due if not self._waits(one, now)]
        return [report for report in reports if report is not None]

    def draw_due(self, catalogue: Catalogue, now: datetime) -> None:
        """One null for each layer whose alarm lacks any."""
        for layer in catalogue.layers:
            scans = layer.hotspots is not None and layer.hotspots.scan is not None
            if scans and not self._failures.waits(layer, "nulls", now):
                self._draw(layer, now)

    def heed_files(self, files: LayerFiles, now: datetime) -> None:
        """A layer file at fault stops nothing, and is told as what fails is."""
        for layer in files.catalogue.layers:
            faults = files.faults_of(layer)
            if not faults:
                self._failures.worked(layer, LAYER_FILE)
            elif not self._failures.waits(layer, LAYER_FILE, now):
                self._failures.failed(layer, LAYER_FILE, BadLayerFile("\n".join(faults)))

    def _waits(self, due: DueRun, now: datetime) -> bool:
        return self._failures.waits(due.layer, due.method, now) or (
            self._awaits_other(due.layer, METHODS[due.method].follows, now)
        )

    def _awaits_other(self, layer: Layer, other: str | None, now: datetime) -> bool:
        """Whether a method is to speak first that left streams out, and can judge them soon."""
        if other not in methods_of(layer) or self._failures.waits(layer, "nulls", now):
            return False
        with self._database.reading() as connection:
            return METHODS[other].is_incomplete(connection, layer)

    def _run(self, due: DueRun) -> RunReport | None:
        now = datetime.now(UTC)
        try:
            report = run_method(
                self._database, due.layer, due.method, now, prompt=True, scans=self._scans
            )
        except Exception as error:
            self._failures.failed(due.layer, due.method, error)
            return None
        self._failures.worked(due.layer, due.method)
        log.info(
            "run", layer=due.layer.id, method=due.method, run=report.run_id,
            records=report.records, found=report.found,
        )  # fmt: skip
        return report

    def _draw(self, layer: Layer, now: datetime) -> None:
        try:
            stream = self._drawer.draw_next(layer, now)
        except Exception as error:
            self._failures.failed(layer, "nulls", error)
            return
        self._failures.worked(layer, "nulls")
        if stream is not None:
            log.info("null drawn", layer=layer.id, stream=stream)


@contextmanager
def watching(
    database: Database, folder: Path, catalogue: Catalogue, kept_days: int
) -> Iterator[None]:
    """While inside, runs and alerts are kept up to date, by the layer files as published.

    Runs older than `kept_days` are forgotten, but for those that alerts rest on.
    """
    files = LayerFiles(database, folder, catalogue)
    runner = Runner(database)

    def follow() -> None:
        files.follow()
        runner.heed_files(files, datetime.now(UTC))

    def analyse() -> None:
        runner.run_due(files.catalogue, datetime.now(UTC))

    def draw() -> None:
        runner.draw_due(files.catalogue, datetime.now(UTC))

    def keep() -> None:
        advance_all(database, files.catalogue, datetime.now(UTC))

    def place() -> None:
        for done in regeocode(database, files.catalogue):
            told = asdict(done)
            log.info("placed again", layer=told.pop("layer_id"), **told)

    def forget() -> None:
        forget_old_runs(database, files.catalogue, datetime.now(UTC), kept_days)

    with (
        repeating("layer files", follow, every_s=LOOK_EVERY_S),
        repeating("hotspots", analyse, every_s=LOOK_EVERY_S),
        repeating("nulls", draw, every_s=LOOK_EVERY_S),
        repeating("alerts", keep),
        repeating("places", place, every_s=PLACE_EVERY_S),
        repeating("old runs", forget, every_s=3600),
    ):
        yield


def forget_old_runs(database: Database, catalogue: Catalogue, now: datetime, kept_days: int) -> int:
    """Prune the runs of all layers; gives how many are gone."""
    oldest, recent = (now - timedelta(days=days) for days in (kept_days, RECENT_DAYS))
    with database.writing() as connection:
        return sum(
            prune(connection, layer.id, oldest, recent)
            for layer in catalogue.layers
            if layer.hotspots
        )
