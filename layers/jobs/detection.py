"""Runs follow the data: an alarm within a second or two of a change, maps at a slower pace.

The leader queues what is due; any worker runs it (see kinds.py).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from gis.database.engine import Database
from gis.jobs.queue import enqueue
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.detect import METHODS, layers_read, methods_of
from layers.detect.method import LatestRun
from layers.detect.null_distribution import days_drawn
from layers.detect.store import prune
from layers.jobs.failures import Failures

NULLS = "nulls"  # work on a layer, and the kind of its jobs
ALARM, MAP = "alarm", "map"  # kinds of jobs, by what the method is for
RUNS = (ALARM, MAP)
ATTEMPTS = 3
RECENT_DAYS = 7  # within which every run is kept, not only the last of each day

# The newest run of each method of these layers, by the end of its window.
_NEWEST = text("""
SELECT l.id, r.method, r.input_version, r.input_until, r.run_at,
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
        rows = connection.execute(text("SELECT id, version FROM gis.layer"))
        versions = {row.id: row.version for row in rows}
        for row in connection.execute(_NEWEST, {"layers": list(wanted)}):
            known.add(row.id)
            if row.method in METHODS:
                version = sum(versions[one] for one in layers_read(wanted[row.id], row.method)
                              if one in versions)  # fmt: skip
                knows = row.input_version == version and not row.has_better_null
                newest[row.id, row.method] = LatestRun(knows, row.input_until, row.run_at)
    due = [
        DueRun(layer, method)
        for layer_id, layer in wanted.items()
        for method in methods_of(layer)
        if layer_id in known and _is_due(layer, method, newest.get((layer_id, method)), now)
    ]
    return sorted(due, key=lambda one: list(METHODS).index(one.method))


def is_due(database: Database, layer: Layer, method: str, now: datetime) -> bool:
    """Whether one method is due on one layer."""
    return DueRun(layer, method) in due_runs(database, Catalogue((layer,)), now)


def _is_due(layer: Layer, name: str, latest: LatestRun | None, now: datetime) -> bool:
    if latest is None:
        return True
    if layer.hotspots is None or latest.until > now:
        return False
    method = METHODS[name]
    return method.is_due(method.options_of(layer.hotspots), latest, now)


class DetectionScheduler:
    """Queues the runs and null distributions that are due.

    At first also what has just failed: who starts a service again may have mended it.
    """

    def __init__(self, database: Database, failures: Failures) -> None:
        self._database = database
        self._failures = failures
        self._is_new = True

    def queue_runs(self, catalogue: Catalogue, now: datetime, *, prompt: bool = True) -> int:
        """Queue a job for each run that is due; gives how many are new.

        Left out is what has just failed, and what follows a method that is to speak first.
        `prompt`: as of `run_method`.
        """
        if self._is_new:
            self._failures.forget_pauses()
            self._is_new = False
        failing = self._failures.waiting(now)
        due = [
            one
            for one in due_runs(self._database, catalogue, now)
            if (one.layer.id, one.method) not in failing
        ]
        if not due:
            return 0
        first = {(one.layer.id, one.method) for one in due}
        with self._database.writing() as connection:
            return sum(
                _queue_run(connection, one, prompt=prompt)
                for one in due
                if (one.layer.id, METHODS[one.method].follows) not in first
                and not _awaits_other(connection, one, failing)
            )

    def queue_nulls(self, catalogue: Catalogue, now: datetime) -> int:
        """Queue a job for each layer whose newest scan, or the day, has none that drew for it."""
        scanned = [one.id for one in catalogue.layers if one.hotspots and one.hotspots.scan]
        failing, days = self._failures.waiting(now), days_drawn(now)
        with self._database.reading() as connection:
            rows = connection.execute(_NOT_DRAWN, {"layers": scanned, "days": days}).all()
        lacking = [row for row in rows if (row.layer_id, NULLS) not in failing]
        if not lacking:
            return 0
        with self._database.writing() as connection:
            return sum(
                enqueue(
                    connection,
                    NULLS,
                    {"layer": row.layer_id, "run": row.run, "days": days},
                    key=f"{NULLS} {row.layer_id}",
                    priority=5,
                    most_attempts=ATTEMPTS,
                )
                is not None
                for row in lacking
            )


# The newest scans of layers, of which no job has drawn what they need on these days.
_NOT_DRAWN = text("""
SELECT r.layer_id, r.id AS run
FROM unnest(CAST(:layers AS text[])) AS layer_id
CROSS JOIN LATERAL (
  SELECT layer_id, id FROM gis.hotspot_run
  WHERE layer_id = layer_id.layer_id AND method = 'stp_scan' AND input_digest IS NOT NULL
  ORDER BY input_until DESC, id DESC LIMIT 1) AS r
WHERE NOT EXISTS (
  SELECT FROM gis.job j
  WHERE j.key = 'nulls ' || r.layer_id
    AND (j.state IN ('queued', 'running')
         OR j.state = 'succeeded' AND j.arguments ->> 'run' = r.id::text
            AND j.arguments -> 'days' = to_jsonb(CAST(:days AS int[]))))
""")


def _queue_run(connection: Connection, due: DueRun, *, prompt: bool) -> bool:
    is_alarm = METHODS[due.method].rule is not None
    number = enqueue(
        connection,
        ALARM if is_alarm else MAP,
        {"layer": due.layer.id, "method": due.method, "prompt": prompt},
        key=f"run {due.layer.id} {due.method}",
        priority=10 if is_alarm else 0,
        most_attempts=ATTEMPTS,
    )
    return number is not None


def _awaits_other(connection: Connection, due: DueRun, failing: set[tuple[str, str]]) -> bool:
    """Whether a method is to speak first that left streams out, and can judge them soon."""
    other = METHODS[due.method].follows
    if other not in methods_of(due.layer) or (due.layer.id, NULLS) in failing:
        return False
    return METHODS[other].is_incomplete(connection, due.layer)


def forget_old_runs(database: Database, catalogue: Catalogue, now: datetime, kept_days: int) -> int:
    """Prune the runs of all layers; gives how many are gone."""
    oldest, recent = (now - timedelta(days=days) for days in (kept_days, RECENT_DAYS))
    with database.writing() as connection:
        return sum(
            prune(connection, layer.id, oldest, recent)
            for layer in catalogue.layers
            if layer.hotspots
        )
