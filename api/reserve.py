"""Threads and connections that some work has for itself: it waits for no other."""

from collections.abc import Callable

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from gis.database.engine import Database


class Reserve:
    """A reserve of threads, and of as many connections of each kind."""

    def __init__(self, database: Database, size: int) -> None:
        self.database = database.apart(size)
        self._threads = CapacityLimiter(size)

    async def run[T, *A](self, work: Callable[[*A], T], *given: *A) -> T:
        """In a thread of the reserve, once one is free."""
        return await run_sync(work, *given, limiter=self._threads)
