"""Work on layers that fails: logged, tried again after a while, and of alarms an alert.

What fails is stored, since each attempt may be made by another worker.
"""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import text

from gis.alerts.self_monitoring import WORKS, close_failing_alert, raise_failing_alert
from gis.database.engine import Database
from gis.errors import GisError, Unavailable
from layers.definition.model import Layer
from layers.detect.thresholds import boundaries_are_official

log = structlog.get_logger("watch")

RETRY_AFTER = timedelta(minutes=1)
RETRY_LOST = timedelta(seconds=2)  # the database was lost, which says nothing of the work
IN_A_ROW = 3  # failures that make an alert


class Failures:
    """What fails now, by layer and kind of work: a method of runs, `nulls` or `layer_file`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sound: set[tuple[str, str]] = set()  # what has no alert, that is known

    def waiting(self, now: datetime) -> set[tuple[str, str]]:
        """Layers and work that failed so lately that it is not tried again yet."""
        with self._database.reading() as connection:
            rows = connection.execute(_WAITING, {"now": now})
            return {(row.layer_id, row.work) for row in rows}

    def waits(self, layer: Layer, work: str, now: datetime) -> bool:
        return (layer.id, work) in self.waiting(now)

    def forget_pauses(self) -> None:
        """Try all again at once."""
        with self._database.writing() as connection:
            connection.execute(_FORGET_PAUSES)

    def failed(self, layer: Layer, work: str, error: Exception) -> None:
        """Count a failure, while its error is handled: the log gets the traceback of an odd one."""
        reason = {"why": str(error)} if isinstance(error, GisError) else {"exc_info": True}
        log.error("run failed", layer=layer.id, method=work, **reason)
        pause = RETRY_LOST if isinstance(error, Unavailable) else RETRY_AFTER
        values = {"layer": layer.id, "work": work, "pause": pause}
        try:
            with self._database.writing() as connection:
                failing = connection.execute(_FAILED, values).one()
        except Unavailable as lost:
            log.error("a failure is not counted", layer=layer.id, method=work, why=str(lost))
            return
        if failing.times >= IN_A_ROW:
            self._sound.discard((layer.id, work))
            self._update_alert(layer, work, failing.since)

    def worked(self, layer: Layer, work: str) -> None:
        key = (layer.id, work)
        with self._database.writing() as connection:
            was_failing = connection.execute(_WORKED, {"layer": layer.id, "work": work}).rowcount
        if (was_failing or key not in self._sound) and self._update_alert(layer, work, None):
            self._sound.add(key)

    def _update_alert(self, layer: Layer, work: str, since: datetime | None) -> bool:
        """Raise or end the alert; True where that is done. `since` None: it works."""
        if layer.alerts is None or work not in WORKS:
            return True
        policy, now = layer.alerts.policy(), datetime.now(UTC)
        try:
            with self._database.writing() as connection:
                if since is None:
                    close_failing_alert(connection, layer.id, work, policy, now)
                    return True
                titles, official = layer.title, boundaries_are_official(connection)
                raise_failing_alert(
                    connection, layer.id, (titles.vi, titles.en), work, policy, since, now,
                    official=official,
                )  # fmt: skip
        except GisError as error:
            log.error("a failing alarm waits to be an alert", layer=layer.id, why=str(error))
            return False
        except Exception:
            log.exception("a failing alarm could not be an alert", layer=layer.id, method=work)
            return False
        return True


_WAITING = text("SELECT layer_id, work FROM gis.failing_work WHERE last > :now - pause")
_FORGET_PAUSES = text("UPDATE gis.failing_work SET pause = interval '0'")
_FAILED = text("""
INSERT INTO gis.failing_work (layer_id, work, since, last, times, pause)
VALUES (:layer, :work, clock_timestamp(), clock_timestamp(), 1, :pause)
ON CONFLICT (layer_id, work) DO UPDATE
  SET last = excluded.last, times = failing_work.times + 1, pause = excluded.pause
RETURNING since, times
""")
_WORKED = text("DELETE FROM gis.failing_work WHERE layer_id = :layer AND work = :work")
