"""The steps of alerts as they happen: server-sent events (HTML standard, section 9.2)."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import orjson
import structlog
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from api.concurrency import client_of
from api.dependencies import Caller, layers_in_force
from api.event_broker import EventBroker
from gis.access import Principal, Role
from gis.alerts.visibility import desk_layers, is_operator
from gis.errors import BadInput, NotFound, Unavailable
from gis.notify.events import EventReader, events_after, newest_readable
from gis.notify.notification import Notification
from gis.notify.payload import notification_payload

router = APIRouter(tags=["alerts"])

log = structlog.get_logger("events")

HEARTBEAT_S = 15.0
_LONGEST_S = 900.0  # then the client comes again, and its key is checked again
_RETRY_MS = 2000
_BATCH = 100
_SPARE_FOR_KEYS = 100  # streams that nobody without a key may have

Layers = Annotated[list[str], Query(description="Only alerts of these layers")]
SeenHeader = Annotated[str | None, Header(alias="Last-Event-ID")]
SeenQuery = Annotated[str | None, Query(description="As the header Last-Event-ID")]


@router.get("/events", response_class=StreamingResponse)
async def events(
    request: Request,
    caller: Caller,
    layer: Layers = [],  # noqa: B006  (FastAPI copies defaults)
    last_event_id: SeenHeader = None,
    after: SeenQuery = None,
) -> EventSourceResponse:
    """Each step of the alerts that the caller may read, as an event `alert` with JSON: of
    those that are published, and with a key of their desk of all.

    Steps of other alerts show neither in the ids nor in when a comment comes. Begins after
    `Last-Event-ID`, without one with what happens from now on. A comment comes every 15 seconds
    when nothing happens; after 15 minutes the stream ends, to be asked for again. 429 where an
    address has as many streams as it may have, 503 where there are too many in all.
    """
    try:
        catalogue = (await run_sync(layers_in_force, request.app)).catalogue
    except Unavailable:  # browsers come again to a stream that ends, not after a 503
        catalogue = request.app.state.layer_files.catalogue
    unknown = set(layer) - {each.id for each in catalogue.readable(caller)}
    if unknown:
        raise NotFound(f"there is no layer {min(unknown)}")
    seen = _seen(after if last_event_id is None else last_event_id)
    return _Events(request, caller, _stream(request, caller, frozenset(layer), seen))


class _Events(EventSourceResponse):
    """Takes a place while it lasts."""

    def __init__(self, request: Request, caller: Principal, stream: AsyncIterator[bytes]) -> None:
        super().__init__(stream, headers={"Cache-Control": "no-store"})
        broker: EventBroker = request.app.state.event_broker
        spare = _SPARE_FOR_KEYS if caller.role is Role.ANONYMOUS else 0
        self._place = broker.places.place(client_of(request), spare=spare)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)


async def _stream(
    request: Request, caller: Principal, wanted: frozenset[str], seen: int | None
) -> AsyncIterator[bytes]:
    broker: EventBroker = request.app.state.event_broker
    end = time.monotonic() + _LONGEST_S
    async with _ends_when_lost(), broker.followed():
        at = broker.seq if seen is None else min(seen, broker.seq)
        shown = min(at, await broker.reserve.run(_newest, request, caller, wanted))
        yield format_sse_event(id=str(shown), retry=_RETRY_MS, comment="listening")
        quiet_until = time.monotonic() + HEARTBEAT_S
        while not broker.ended and time.monotonic() < end:
            known = broker.seq
            notifications = await broker.reserve.run(_read, request, caller, wanted, at)
            for notification in notifications:
                yield _event(notification)
            # What is numbered up to `known` was there to be read: the rest is not for this client.
            at = (
                notifications[-1].seq
                if len(notifications) == _BATCH
                else max(at, known, *_seqs(notifications))
            )
            if notifications:
                quiet_until = time.monotonic() + HEARTBEAT_S
                continue
            await broker.after(at, quiet_until - time.monotonic())
            if time.monotonic() >= quiet_until:
                yield format_sse_event(comment="still here")
                quiet_until += HEARTBEAT_S


@asynccontextmanager
async def _ends_when_lost() -> AsyncIterator[None]:
    """A client whose stream ends comes again with the last id that it has seen."""
    try:
        yield
    except Unavailable as error:
        log.warning("event stream ends", why=str(error))


def _read(
    request: Request, caller: Principal, wanted: frozenset[str], at: int
) -> list[Notification]:
    """Notifications that the caller may read now: layers may have been published meanwhile."""
    broker: EventBroker = request.app.state.event_broker
    reader = _reader(request, caller, wanted)
    with broker.reserve.database.reading() as connection:
        return events_after(connection, at, reader, limit=_BATCH)


def _newest(request: Request, caller: Principal, wanted: frozenset[str]) -> int:
    broker: EventBroker = request.app.state.event_broker
    reader = _reader(request, caller, wanted)
    with broker.reserve.database.reading() as connection:
        return newest_readable(connection, reader)


def _reader(request: Request, caller: Principal, wanted: frozenset[str]) -> EventReader:
    readable = [each.id for each in layers_in_force(request.app).catalogue.readable(caller)]
    layers = [layer_id for layer_id in readable if not wanted or layer_id in wanted]
    return EventReader(layers, desk_layers(caller, layers), is_operator(caller))


def _seqs(notifications: list[Notification]) -> list[int]:
    return [notification.seq for notification in notifications]


def _event(notification: Notification) -> bytes:
    data = orjson.dumps(notification_payload(notification)).decode()
    return format_sse_event(event="alert", id=str(notification.seq), data_str=data)


def _seen(given: str | None) -> int | None:
    if given is None or given == "":
        return None
    if not (given.isascii() and given.isdecimal() and len(given) <= 18):
        raise BadInput(f"Last-Event-ID is the id of an event that was received, not {given}")
    return int(given)
