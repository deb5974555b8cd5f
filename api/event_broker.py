"""The number of the newest notice, looked up by one task for all the clients of a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from api.concurrency import ConcurrencyLimit
from api.reserve import Reserve
from gis.database.engine import Database
from gis.errors import GisError
from gis.notify.events import last_seq

_LOOK_EVERY_S = 0.25
_READ_AT_A_TIME = 2
_MOST_CLIENTS = 500

log = structlog.get_logger("events")


class EventBroker:
    """While clients follow it, it looks four times a second. All but `let_go` is for the loop."""

    def __init__(self, database: Database, most_of_one: int) -> None:
        self.reserve = Reserve(database, _READ_AT_A_TIME)
        self.places = ConcurrencyLimit("streams of events", _MOST_CLIENTS, most_of_one)
        self._clients = 0
        self._looking: asyncio.Task[None] | None = None
        self._rung = asyncio.Event()  # replaced at each ring
        self._loop: asyncio.AbstractEventLoop | None = None
        self.seq = 0
        self.ended = False

    @property
    def clients(self) -> int:
        return self._clients

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """A client that follows."""
        self._clients += 1
        try:
            self._loop = asyncio.get_running_loop()
            self.seq = max(self.seq, await self.reserve.run(self._look))
            self._looking = self._looking or asyncio.create_task(self._look_on())
            yield
        finally:
            self._clients -= 1
            if self._clients == 0 and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def after(self, seq: int, within_s: float) -> None:
        """Returns when there is a notice after this one, the time is over, or all ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.seq <= seq and not self.ended:
                    await self._rung.wait()

    def let_go(self) -> None:
        """Let every client go, since the service stops; from any thread or signal handler."""
        self.ended = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()

    def _look(self) -> int:
        with self.reserve.database.reading() as connection:
            return last_seq(connection)

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                seq = await self.reserve.run(self._look)
            except GisError as error:
                log.warning("waits", why=str(error))
                continue
            except Exception:  # the next look may succeed, and nobody else would look
                log.exception("failed")
                continue
            if seq > self.seq:
                self.seq = seq
                self._ring()
