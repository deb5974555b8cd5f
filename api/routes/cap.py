"""CAP 1.2: documents at addresses that never change, their indexes, and approval by a person."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from api.bodies import Body
from api.conditional import not_modified
from api.dependencies import Caller, Reader, UsedCatalogue, UsedSettings, Writer
from api.links import public_url
from gis.access import Principal, require_operator
from gis.alerts.actions import get_alert
from gis.alerts.notes import LONGEST_NOTE
from gis.alerts.visibility import desk_layers
from gis.errors import NotFound
from gis.notify.cap.approval import approve, withdraw
from gis.notify.cap.feeds import (
    Feed,
    PublishedDocument,
    atom,
    begun_at,
    get_document,
    latest_documents,
    rss,
)
from gis.notify.notification import Language
from gis.settings import Settings
from layers.definition.catalogue import Catalogue

router = APIRouter(tags=["alerts"])

_A_YEAR = "public, max-age=31536000, immutable"

Lang = Annotated[Language, Query(description="Language of titles and summaries")]
Identifier = Annotated[str, Path(max_length=100, description="Identifier of the document")]


class Withdrawal(Body):
    note: str = Field("", max_length=LONGEST_NOTE)


class Approval(Withdrawal):
    confirmed: bool = Field(False, description="Somebody has seen that it is true")


@router.get("/cap/atom.xml", response_class=Response)
def atom_feed(
    request: Request,
    connection: Reader,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
    lang: Lang = Language.VI,
) -> Response:
    """The newest hundred documents as Atom: public ones, with a key also those of its layers."""
    feed = _feed(request, connection, settings, "atom.xml", lang)
    return _indexed(request, atom, feed, _found(connection, catalogue, caller))


@router.get("/cap/rss.xml", response_class=Response)
def rss_feed(
    request: Request,
    connection: Reader,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
    lang: Lang = Language.VI,
) -> Response:
    """The same as RSS 2.0."""
    feed = _feed(request, connection, settings, "rss.xml", lang)
    return _indexed(request, rss, feed, _found(connection, catalogue, caller))


@router.get("/cap/{identifier}.xml", response_class=Response)
def cap_document(
    identifier: Identifier, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> Response:
    """One document, for ever the same. One that nobody approved needs a key of its layer."""
    found = get_document(connection, identifier, _layers(catalogue, caller))
    kept = _A_YEAR if found.public else "private, no-cache"
    return Response(found.text, media_type="application/cap+xml", headers={"Cache-Control": kept})


@router.post("/alerts/{alert_id}/approve")
def approve_alert(
    alert_id: int, body: Approval, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """A person makes an alert public: from now on everybody sees it, and its CAP documents."""
    require_operator(caller)
    if get_alert(connection, alert_id).layer_id not in _layers(catalogue, caller):
        raise NotFound(f"there is no alert {alert_id}")
    approve(connection, alert_id, caller.name, body.note, confirmed=body.confirmed)
    return {"id": alert_id, "approved": True, "confirmed": body.confirmed}


@router.post("/alerts/{alert_id}/withdraw")
def withdraw_alert(
    alert_id: int, body: Withdrawal, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Takes an approval back: the alert is for the desk again, and the public hears a Cancel."""
    require_operator(caller)
    if get_alert(connection, alert_id).layer_id not in _layers(catalogue, caller):
        raise NotFound(f"there is no alert {alert_id}")
    withdraw(connection, alert_id, caller.name, body.note)
    return {"id": alert_id, "approved": False}


def _layers(catalogue: Catalogue, caller: Principal) -> list[str]:
    """Ids of the layers whose unapproved alerts the caller may read."""
    return desk_layers(caller, (layer.id for layer in catalogue.readable(caller)))


def _found(
    connection: Connection, catalogue: Catalogue, caller: Principal
) -> list[PublishedDocument]:
    return latest_documents(connection, _layers(catalogue, caller))


def _feed(
    request: Request, connection: Connection, settings: Settings, name: str, language: Language
) -> Feed:
    folder = f"{public_url(request, settings)}/cap"
    return Feed(language, f"{folder}/{name}?lang={language}", folder, begun_at(connection))


def _indexed(
    request: Request,
    write: Callable[[Feed, Sequence[PublishedDocument]], str],
    feed: Feed,
    documents: Sequence[PublishedDocument],
) -> Response:
    text = write(feed, documents)
    etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Content-Language": feed.language}
    media_type = f"application/{write.__name__}+xml"
    return not_modified(request, etag) or Response(text, media_type=media_type, headers=headers)
