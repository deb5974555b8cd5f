"""Supervisor of the embedded cluster: starts it again when its server dies under a service."""

import time
from collections.abc import Callable

import structlog

from gis.database.cluster import Cluster
from gis.errors import GisError

log = structlog.get_logger("database")

_LONGEST_PAUSE_S = 60.0
_SOUND_AFTER_S = 60.0  # a server that dies sooner is not started again at once


class Supervisor:
    """Starts a server that has died at each check; after a start that was in vain it pauses, twice
    as long each time. A server that somebody stopped stays so.
    """

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._clock = clock  # seconds
        self._tried = 0.0
        self._pause_s = 0.0

    def look(self) -> None:
        if self._cluster.listens():
            if self._clock() > self._tried + _SOUND_AFTER_S:
                self._pause_s = 0.0
        elif not self._cluster.was_stopped and self._clock() >= self._tried + self._pause_s:
            self._start()

    def _start(self) -> None:
        log.warning("PostgreSQL has died and is started again")
        self._pause_s = min(max(1.0, 2 * self._pause_s), _LONGEST_PAUSE_S)
        try:
            self._cluster.start()
            log.warning("PostgreSQL runs again")
        except GisError as error:
            log.error("PostgreSQL does not start", why=str(error), again_in_s=self._pause_s)
        finally:
            self._tried = self._clock()
