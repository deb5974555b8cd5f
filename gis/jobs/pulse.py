"""The pulse of a worker: one statement, twice a second, by which all its threads know what is due.

Each thread waits for its bell instead of asking the database by itself, and looks all the same at
times, since what time alone changes rings no bell.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gis.jobs.periodic import repeating
from gis.jobs.session import WorkerSession

EVERY_S = 0.5
# Columns of gis.pulse that say that something is due; the others say that something happened.
_DUE = frozenset({"jobs_due", "delivery_due", "document_due", "source_due"})


class Pulse:
    """Rings the bells of threads by the rows of gis.pulse."""

    def __init__(self, session: WorkerSession) -> None:
        self._session = session
        self._bells: list[tuple[tuple[str, ...], threading.Event]] = []
        self._now = threading.Event()
        self._last: Mapping[str, Any] | None = None

    def bell(self, *columns: str) -> threading.Event:
        """A new bell, rung when one of these columns has changed, or says that something is due.

        `leader`: when this worker begins or ceases to lead.
        """
        bell = threading.Event()
        self._bells.append((columns, bell))
        return bell

    def look(self) -> None:
        """Raises Unavailable; when the database is back, all bells are rung."""
        last, self._last = self._last, None
        row = {**self._session.pulse(), "leader": self._session.is_leader}
        for columns, bell in self._bells:
            if last is None or any(_is_news(name, row, last) for name in columns):
                bell.set()
        self._last = row

    def hurry(self) -> None:
        """Look at once: this process has just changed something."""
        self._now.set()

    @contextmanager
    def beating(self) -> Iterator[None]:
        with repeating("pulse", self.look, every_s=EVERY_S, bell=self._now):
            self.hurry()
            yield


def _is_news(name: str, row: Mapping[str, Any], last: Mapping[str, Any]) -> bool:
    return bool(row[name]) if name in _DUE else row[name] != last[name]
