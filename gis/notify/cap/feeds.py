"""Indexes of CAP documents: Atom (RFC 4287) and RSS 2.0, in Vietnamese or English."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree as ET

from sqlalchemy import Connection, Row, text

from gis.errors import NotFound
from gis.notify.cap.document import cap_time, plain
from gis.notify.events import notification_of
from gis.notify.messages import CAP_TYPES, CENTRE, FEED, SEVERITIES, SIMULATED
from gis.notify.notification import Language, Notification

_ATOM = "http://www.w3.org/2005/Atom"
_CAP_MEDIA = "application/cap+xml"
_IDENTIFIER = re.compile(r"[0-9a-f.]{1,80}")


@dataclass(frozen=True, slots=True)
class PublishedDocument:
    """A CAP document as it was published."""

    identifier: str
    layer_id: str
    type: str
    sent: datetime
    public: bool
    text: str
    notification: Notification


@dataclass(frozen=True, slots=True)
class Feed:
    """An index: its URL, that of the folder of documents, and the moment since which there can be
    alerts, which is its time of update while it is empty.
    """

    language: Language
    address: str
    folder: str
    begun_at: datetime


_SELECT = """
SELECT m.identifier, m.type, m.sent, m.public AND gis.is_public(m.layer_id) AS public, m.document,
       n.*
FROM gis.cap_message m JOIN gis.notification n ON n.seq = m.seq
"""
_LATEST = text(
    _SELECT + "WHERE m.withdrawn_at IS NULL"
    " AND (m.public AND gis.is_public(m.layer_id) OR m.layer_id = ANY(:layers))"
    " ORDER BY m.seq DESC LIMIT :limit"
)
_BEGUN = text(
    "SELECT coalesce((SELECT loaded_at FROM gis.boundary_state), pg_postmaster_start_time())"
)
_ONE = text(_SELECT + "WHERE m.identifier = :identifier AND m.withdrawn_at IS NULL")


def latest_documents(
    connection: Connection, layers: Sequence[str], limit: int = 100
) -> list[PublishedDocument]:
    """Public documents, and those of these layers that are not, the newest first.

    A document is public no more once its layer is not, or its field has become personal.
    """
    rows = connection.execute(_LATEST, {"layers": list(layers), "limit": limit})
    return [_document(row) for row in rows]


def begun_at(connection: Connection) -> datetime:
    """The time when the boundaries in force were loaded, else when the database was started."""
    moment: datetime = connection.scalar(_BEGUN)
    return moment


def get_document(
    connection: Connection, identifier: str, layers: Sequence[str]
) -> PublishedDocument:
    """The document of an identifier. Raises NotFound, also if it is neither public nor of these
    layers.
    """
    known = _IDENTIFIER.fullmatch(identifier) is not None
    row = connection.execute(_ONE, {"identifier": identifier}).one_or_none() if known else None
    if row is None or not (row.public or row.layer_id in layers):
        raise NotFound("there is no CAP document at this address: the index names those there are")
    return _document(row)


def atom(feed: Feed, documents: Sequence[PublishedDocument]) -> str:
    """The index as Atom; each entry links to its document."""
    root = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": feed.language})
    _add(root, "id", feed.address)
    _add(root, "title", FEED[feed.language])
    _add(root, "updated", cap_time(_updated(feed, documents)))
    ET.SubElement(root, "link", rel="self", type="application/atom+xml", href=feed.address)
    _add(ET.SubElement(root, "author"), "name", CENTRE[feed.language])
    for document in documents:
        _add_entry(root, feed, document)
    return _written(root)


def rss(feed: Feed, documents: Sequence[PublishedDocument]) -> str:
    """The index as RSS; each item links to its document."""
    root = ET.Element("rss", version="2.0")
    channel = ET.SubElement(root, "channel")
    _add(channel, "title", FEED[feed.language])
    _add(channel, "link", feed.address)
    _add(channel, "description", f"{FEED[feed.language]} (CAP 1.2). {CENTRE[feed.language]}.")
    _add(channel, "language", feed.language)
    _add(channel, "lastBuildDate", format_datetime(_updated(feed, documents)))
    for document in documents:
        _add_item(channel, feed, document)
    return _written(root)


def _add_entry(root: ET.Element, feed: Feed, document: PublishedDocument) -> None:
    entry = ET.SubElement(root, "entry")
    address = _address(feed, document)
    _add(entry, "id", address)
    _add(entry, "title", _title(document, feed.language))
    _add(entry, "updated", cap_time(document.sent))
    _add(entry, "published", cap_time(document.sent))
    ET.SubElement(entry, "link", rel="alternate", type=_CAP_MEDIA, href=address)
    ET.SubElement(entry, "category", term=document.notification.severity)
    _add(entry, "summary", _summary(document.notification, feed.language))


def _add_item(channel: ET.Element, feed: Feed, document: PublishedDocument) -> None:
    item = ET.SubElement(channel, "item")
    address = _address(feed, document)
    _add(item, "title", _title(document, feed.language))
    _add(item, "link", address)
    _add(item, "description", _summary(document.notification, feed.language))
    _add(item, "category", SEVERITIES[document.notification.severity][feed.language])
    ET.SubElement(item, "guid", isPermaLink="true").text = address
    _add(item, "pubDate", format_datetime(document.sent))


def _title(document: PublishedDocument, language: Language) -> str:
    kind = CAP_TYPES[document.type][language]
    mark = SIMULATED[language] if document.notification.simulated else ""
    return f"{mark}{kind}: {document.notification.headline[language]}"


def _summary(notification: Notification, language: Language) -> str:
    return notification.detail[language] or notification.headline[language]


def _address(feed: Feed, document: PublishedDocument) -> str:
    return f"{feed.folder}/{document.identifier}.xml"


def _updated(feed: Feed, documents: Sequence[PublishedDocument]) -> datetime:
    return max((document.sent for document in documents), default=feed.begun_at)


def _add(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, name).text = plain(value)


def _written(root: ET.Element) -> str:
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _document(row: Row[Any]) -> PublishedDocument:
    return PublishedDocument(
        identifier=row.identifier,
        layer_id=row.layer_id,
        type=row.type,
        sent=row.sent,
        public=row.public,
        text=row.document,
        notification=notification_of(row),
    )
