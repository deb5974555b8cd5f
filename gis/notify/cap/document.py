"""Common Alerting Protocol 1.2: a notification as the text of a CAP document.

Source: OASIS CAP-v1.2-os (1 July 2010). Its schema rejects `Z` and fractions of seconds.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from unicodedata import normalize
from xml.etree import ElementTree as ET

import h3

from gis.clock import HERE
from gis.code_version import package_version
from gis.notify.messages import CENTRE, NOTES, WHOLE_PROVINCE
from gis.notify.notification import Language, Notification

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
LIKELY_FROM_DAYS = 365.0  # recurrence interval from which a statistical alert is likely
COMMUNE, PROVINCE, CELL = "commune", "province", "H3"  # names of geocodes

_URGENCY = {"urgent": "Immediate", "alert": "Expected", "watch": "Future"}
_SEVERITY = {"urgent": "Severe", "alert": "Moderate", "watch": "Minor"}
# Characters that XML 1.0 cannot hold.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class MessageType(StrEnum):
    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"


@dataclass(frozen=True, slots=True)
class Reference:
    """An earlier document of the same alert."""

    sender: str
    identifier: str
    sent: datetime

    def __str__(self) -> str:
        return f"{self.sender},{self.identifier},{cap_time(self.sent)}"


@dataclass(frozen=True, slots=True)
class CapMessage:
    """The content of one document; Update and Cancel reference all those that they supersede."""

    identifier: str
    sender: str
    type: MessageType
    notification: Notification
    references: Sequence[Reference] = ()


def cap_xml(message: CapMessage) -> str:
    """The document, the same text for the same message."""
    root = ET.Element("alert", xmlns=NAMESPACE)
    for name, value in _head(message):
        _add(root, name, value)
    for language in Language:
        _add_info(root, message, language)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def cap_time(moment: datetime) -> str:
    """Vietnamese time in whole seconds: 2026-03-01T08:00:00+07:00."""
    return moment.astimezone(HERE).isoformat(timespec="seconds")


def expires_at(notification: Notification) -> datetime:
    """The end of a document's validity, unless another comes: `quiet_days` after it was sent."""
    return notification.at + timedelta(days=notification.quiet_days)


def plain(words: str) -> str:
    """In Unicode form NFC, without what XML cannot hold."""
    return normalize("NFC", _UNWRITABLE.sub("", words))


def status_of(notification: Notification) -> str:
    """Simulated records make an exercise, approximate boundaries a test; neither is ever Actual."""
    if notification.simulated:
        return "Exercise"
    return "Actual" if notification.official else "Test"


def certainty_of(notification: Notification) -> str:
    """Observed only when a person has confirmed it; else by how rarely chance brings it about."""
    if notification.approved and notification.confirmed:
        return "Observed"
    rare = float(notification.measures.get("recurrence_days", 0)) >= LIKELY_FROM_DAYS
    return "Likely" if rare else "Possible"


def polygons(notification: Notification) -> list[str]:
    """Outer rings as CAP writes them: `lat,lon lat,lon …`, the last point the first."""
    geometry = notification.geometry or {"type": "MultiPolygon", "coordinates": []}
    several = geometry["coordinates"]
    rings = [several[0]] if geometry["type"] == "Polygon" else [rings[0] for rings in several]
    return [" ".join(f"{lat:.6f},{lon:.6f}" for lon, lat, *_ in ring) for ring in rings]


def _head(message: CapMessage) -> Iterator[tuple[str, str]]:
    notification = message.notification
    yield "identifier", message.identifier
    yield "sender", message.sender
    yield "sent", cap_time(notification.at)
    yield "status", status_of(notification)
    yield "msgType", message.type
    yield "scope", "Public" if notification.approved else "Restricted"
    if not notification.approved:
        yield "restriction", NOTES["restricted"]
    note = _note(notification)
    if note:
        yield "note", note
    if message.references:
        yield "references", " ".join(map(str, message.references))
    yield "incidents", f"alert-{notification.alert_id}"


def _note(notification: Notification) -> str:
    """Caveats of the alert, in both languages; empty without any."""
    kinds = {
        "simulated": notification.simulated,
        "unofficial": not notification.official,
        "false": notification.status == "false",
    }
    return " ".join(NOTES[kind] for kind, holds in kinds.items() if holds)


def _add_info(root: ET.Element, message: CapMessage, language: Language) -> None:
    info = ET.SubElement(root, "info")
    for name, value in _info(message, language):
        _add(info, name, value)
    for name, value in _parameters(message.notification):
        _add_pair(info, "parameter", name, value)
    _add_area(info, message.notification, language)


def _info(message: CapMessage, language: Language) -> Iterator[tuple[str, str]]:
    notification = message.notification
    over = message.type is MessageType.CANCEL
    yield "language", language
    yield from (("category", category) for category in notification.categories)
    yield "event", notification.subject[language]
    yield "responseType", "AllClear" if over else "Monitor"
    yield "urgency", "Past" if over else _URGENCY[notification.severity]
    yield "severity", _SEVERITY[notification.severity]
    yield "certainty", certainty_of(notification)
    yield "effective", cap_time(notification.at)
    if notification.since is not None:
        yield "onset", cap_time(notification.since)
    yield "expires", cap_time(expires_at(notification))
    yield "senderName", CENTRE[language]
    yield "headline", notification.headline[language]
    yield "description", notification.detail[language] or notification.headline[language]


def _parameters(notification: Notification) -> Iterator[tuple[str, str]]:
    """Statistics of the alert, those that are known."""
    names = {"recurrence_days": "ri_days"}
    for measure in ("llr", "p", "recurrence_days", "observed", "expected"):
        if measure in notification.measures:
            yield names.get(measure, measure), _number(float(notification.measures[measure]))
    if notification.since is not None and notification.until is not None:
        yield "window", f"{cap_time(notification.since)}/{cap_time(notification.until)}"
    yield "method", str(notification.measures.get("method", notification.rule))
    yield "version", str(notification.measures.get("version", package_version()))
    if notification.simulated:
        yield "simulated", "true"


def _number(value: float) -> str:
    return f"{value:.6g}"


def _add_area(info: ET.Element, notification: Notification, language: Language) -> None:
    area = ET.SubElement(info, "area")
    names = ", ".join(place.name for place in notification.places)
    _add(area, "areaDesc", names or WHOLE_PROVINCE[language])
    for polygon in polygons(notification):
        _add(area, "polygon", polygon)
    for place in notification.places:
        _add_pair(area, "geocode", COMMUNE, place.code)
    if notification.province is not None and not notification.places:
        _add_pair(area, "geocode", PROVINCE, notification.province)
    for cell in notification.cells:
        _add_pair(area, "geocode", CELL, h3.int_to_str(cell))


def _add_pair(parent: ET.Element, kind: str, name: str, value: str) -> None:
    pair = ET.SubElement(parent, kind)
    _add(pair, "valueName", name)
    _add(pair, "value", value)


def _add(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, name).text = plain(value)
