"""Event broker: the number of the latest event, polled by one task for all clients of a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from api.concurrency import ConcurrencyLimit
from api.reserve import Reserve
from gis.database.engine import Database
from gis.errors import GisError
from gis.notify.events import last_seq

_POLL_EVERY_S = 0.25
_READ_AT_A_TIME = 2
_MOST_CLIENTS = 500

log = structlog.get_logger("events")


class EventBroker:
    """Polls the database four times a second while clients follow.

    All but `release_clients` is for the event loop.
    """

    def __init__(self, database: Database, most_of_one: int) -> None:
        self.reserve = Reserve(database, _READ_AT_A_TIME)
        self.places = ConcurrencyLimit("streams of events", _MOST_CLIENTS, most_of_one)
        self._clients = 0
        self._polling: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()  # replaced at each change
        self._loop: asyncio.AbstractEventLoop | None = None
        self.seq = 0
        self.ended = False

    @property
    def clients(self) -> int:
        return self._clients

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """A context in which a client follows the events."""
        self._clients += 1
        try:
            self._loop = asyncio.get_running_loop()
            self.seq = max(self.seq, await self.reserve.run(self._read_seq))
            self._polling = self._polling or asyncio.create_task(self._poll())
            yield
        finally:
            self._clients -= 1
            if self._clients == 0 and self._polling is not None:
                self._polling.cancel()
                self._polling = None

    async def after(self, seq: int, within_s: float) -> None:
        """Returns when there is an event after this one, the time is over, or the service stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.seq <= seq and not self.ended:
                    await self._changed.wait()

    def release_clients(self) -> None:
        """End every stream, since the service stops; from any thread or signal handler."""
        self.ended = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._notify)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _read_seq(self) -> int:
        with self.reserve.database.reading() as connection:
            return last_seq(connection)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_EVERY_S)
            try:
                seq = await self.reserve.run(self._read_seq)
            except GisError as error:
                log.warning("waits", why=str(error))
                continue
            except Exception:  # the next poll may succeed, and no other task polls
                log.exception("failed")
                continue
            if seq > self.seq:
                self.seq = seq
                self._notify()
