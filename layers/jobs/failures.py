"""Work on layers that fails: logged, tried again after a while, and of alarms an alert."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from gis.alerts.self_monitoring import WORKS, close_failing_alert, raise_failing_alert
from gis.database.engine import Database
from gis.errors import GisError, Unavailable
from layers.definition.model import Layer
from layers.detect.thresholds import boundaries_are_official

log = structlog.get_logger("watch")

RETRY_AFTER = timedelta(minutes=1)
RETRY_LOST = timedelta(seconds=2)  # the database was lost, which says nothing of the work
IN_A_ROW = 3  # failures that make an alert


@dataclass(frozen=True, slots=True)
class _Failing:
    since: datetime
    last: datetime
    times: int
    pause: timedelta = RETRY_AFTER


class Failures:
    """What fails now, by layer and kind of work: a method of runs, or `nulls`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._failing: dict[tuple[str, str], _Failing] = {}
        self._sound: set[tuple[str, str]] = set()  # what has no alert, that is known

    def waits(self, layer: Layer, work: str, now: datetime) -> bool:
        """Whether it failed so lately that it is not tried again yet."""
        failing = self._failing.get((layer.id, work))
        return failing is not None and failing.last > now - failing.pause

    def failed(self, layer: Layer, work: str, error: Exception) -> None:
        """To be called while the error is handled: the log gets its traceback."""
        told = {"why": str(error)} if isinstance(error, GisError) else {"exc_info": True}
        log.error("run failed", layer=layer.id, method=work, **told)
        key, now = (layer.id, work), datetime.now(UTC)
        before = self._failing.get(key, _Failing(now, now, 0))
        pause = RETRY_LOST if isinstance(error, Unavailable) else RETRY_AFTER
        failing = replace(before, last=now, times=before.times + 1, pause=pause)
        self._failing[key] = failing
        if failing.times >= IN_A_ROW:
            self._sound.discard(key)
            self._tell(layer, work, failing)

    def worked(self, layer: Layer, work: str) -> None:
        key = (layer.id, work)
        self._failing.pop(key, None)
        if key not in self._sound and self._tell(layer, work, None):
            self._sound.add(key)

    def _tell(self, layer: Layer, work: str, failing: _Failing | None) -> bool:
        """Whether the alerts know; they are told of alarms alone."""
        if layer.alerts is None or work not in WORKS:
            return True
        policy, now = layer.alerts.policy(), datetime.now(UTC)
        try:
            with self._database.writing() as connection:
                if failing is None:
                    close_failing_alert(connection, layer.id, work, policy, now)
                    return True
                titles, official = layer.title, boundaries_are_official(connection)
                raise_failing_alert(
                    connection, layer.id, (titles.vi, titles.en), work, policy, failing.since, now,
                    official=official,
                )  # fmt: skip
        except GisError as error:
            log.error("a failing alarm waits to be told", layer=layer.id, why=str(error))
            return False
        except Exception:
            log.exception("a failing alarm could not be told", layer=layer.id, method=work)
            return False
        return True
