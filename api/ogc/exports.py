"""Files that are made whole before they are sent.

A client that reads slowly holds a place and a temporary file, and neither a thread nor a connection
of the database.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from anyio.to_thread import run_sync
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from api.concurrency import ConcurrencyLimit, client_of
from api.reserve import Reserve
from gis.database.engine import Database
from gis.errors import Unavailable
from gis.settings import Settings
from layers.items.spool import Abandoned, Spool, Spools

_WAIT_S: Final = 10.0  # for others to be made
_CHUNK_BYTES: Final = 1 << 16

Make = Callable[[Database, Spool], None]


class Exports:
    """Exports of a process: a few are made at a time, the others of them wait or are sent."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.places = ConcurrencyLimit("exports", settings.connections, settings.client_exports)
        self.spools = Spools(
            settings.home / "exports",
            largest=settings.export_mb * 2**20,
            most=settings.exports_disk_mb * 2**20,
        )
        self._reserve = Reserve(database, settings.exports)
        self._making = asyncio.Semaphore(settings.exports)

    async def make(self, make: Make, spool: Spool) -> None:
        """Raises Unavailable where it is not its turn in time, and what `make` raises."""
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._making.acquire()
        except TimeoutError as error:
            raise Unavailable("as many files are made as can be: try again later") from error
        try:
            await self._reserve.run(make, self._reserve.database, spool)
        finally:
            self._making.release()


class Exported(Response):
    """Answers with the file once it is made; what goes wrong before is an answer of its own."""

    def __init__(
        self,
        request: Request,
        exports: Exports,
        make: Make,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        super().__init__(headers=headers, media_type=media_type)
        self._client = client_of(request)
        self._exports = exports
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with (
            self._exports.places.place(self._client),
            Spool(self._exports.spools) as spool,
        ):
            async with _stopped_when_left(spool, receive):
                try:
                    await self._exports.make(self._make, spool)
                except Abandoned:
                    return
                await self._sent(spool, send)

    async def _sent(self, spool: Spool, send: Send) -> None:
        self.headers["Content-Length"] = str(spool.rewind())
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        while not spool.stopped and (part := await run_sync(spool.read, _CHUNK_BYTES)):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@asynccontextmanager
async def _stopped_when_left(spool: Spool, receive: Receive) -> AsyncIterator[None]:
    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        spool.stop()

    listening = asyncio.create_task(listen())
    try:
        yield
    finally:
        listening.cancel()
