"""The session of a worker: the connection whose advisory locks say that it lives, and who leads.

PostgreSQL gives up the locks of a session the moment that it ends, whatever ends it. Claims are
made in the session itself: a worker that has lost its locks cannot claim.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from gis.database.engine import Database, reached
from gis.errors import Unavailable
from gis.jobs.queue import Claim, claim

log = structlog.get_logger("work")


class WorkerSession:
    """One worker towards the database; for any of its threads.

    After a loss of the connection it goes on as another worker: what the former had claimed is
    taken up by the sweep of whoever comes first.
    """

    def __init__(self, database: Database, *, leads: bool = True) -> None:
        self._database = database
        self._may_lead = leads
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._number = 0
        self._is_leader = False
        self.others_work = True  # jobs are those of other workers, of whom some may have ended

    @property
    def is_leader(self) -> bool:
        """True where this worker held the leader's lock when it last looked."""
        return self._is_leader

    def pulse(self) -> dict[str, Any]:
        """The row of gis.pulse; also tries to lead where nobody does. Raises Unavailable."""
        with self._session() as connection:
            row = connection.execute(_PULSE).one()
            self.others_work = any(owner != self._number for owner in row.working or ())
            if self._may_lead and not self._is_leader:
                self._is_leader = bool(connection.scalar(_LEAD))
                if self._is_leader:
                    log.info("leads", worker=self._number)
            return dict(row._mapping)

    def claim(self, kinds: Sequence[str]) -> Claim | None:
        """The next job of these kinds. Raises Unavailable."""
        with self._session() as connection:
            return claim(connection, kinds, self._number)

    def close(self) -> None:
        with self._lock:
            self._drop()

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        """The session, each statement of which is a transaction; begun anew where it was lost."""
        with self._lock, reached():
            try:
                if self._connection is None:
                    self._begin()
                assert self._connection is not None
                yield self._connection
            except (DBAPIError, Unavailable):
                self._drop()
                raise

    def _begin(self) -> None:
        self._connection = self._database.connect_apart()
        self._number = self._connection.execute(_NUMBER).scalar_one()
        self._connection.execute(_LIVE, {"number": self._number})

    def _drop(self) -> None:
        if self._is_leader:
            log.warning("leads no more", worker=self._number)
        self._is_leader = False
        if self._connection is not None:
            with suppress(DBAPIError):
                self._connection.close()
            self._connection = None


_NUMBER = text("SELECT nextval('gis.job_number')")
_LIVE = text("SELECT pg_advisory_lock(hashtextextended('job worker ' || :number, 0))")
_LEAD = text("SELECT pg_try_advisory_lock(hashtextextended('job leader', 0))")
_PULSE = text("SELECT * FROM gis.pulse")
