"""Common Alerting Protocol 1.2: a told step as the text of a CAP document.

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
# What XML 1.0 cannot hold at all.
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
    """What one document says; Update and Cancel name all those that they supersede."""

    identifier: str
    sender: str
    type: MessageType
    told: Notification
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


def expires_at(told: Notification) -> datetime:
    """When a document of this step is over, unless another comes."""
    return told.at + timedelta(days=told.quiet_days)


def plain(words: str) -> str:
    """In Unicode form NFC, without what XML cannot hold."""
    return normalize("NFC", _UNWRITABLE.sub("", words))


def status_of(told: Notification) -> str:
    """Simulated records make an exercise, approximate boundaries a test; neither is ever Actual."""
    if told.simulated:
        return "Exercise"
    return "Actual" if told.official else "Test"


def certainty_of(told: Notification) -> str:
    """Observed only when a person has confirmed it; else by how rarely chance brings it about."""
    if told.approved and told.confirmed:
        return "Observed"
    rare = float(told.measures.get("recurrence_days", 0)) >= LIKELY_FROM_DAYS
    return "Likely" if rare else "Possible"


def polygons(told: Notification) -> list[str]:
    """Outer rings as CAP writes them: `lat,lon lat,lon …`, the last point the first."""
    geometry = told.geometry or {"type": "MultiPolygon", "coordinates": []}
    several = geometry["coordinates"]
    rings = [several[0]] if geometry["type"] == "Polygon" else [rings[0] for rings in several]
    return [" ".join(f"{lat:.6f},{lon:.6f}" for lon, lat, *_ in ring) for ring in rings]


def _head(message: CapMessage) -> Iterator[tuple[str, str]]:
    told = message.told
    yield "identifier", message.identifier
    yield "sender", message.sender
    yield "sent", cap_time(told.at)
    yield "status", status_of(told)
    yield "msgType", message.type
    yield "scope", "Public" if told.approved else "Restricted"
    if not told.approved:
        yield "restriction", NOTES["restricted"]
    note = _note(told)
    if note:
        yield "note", note
    if message.references:
        yield "references", " ".join(map(str, message.references))
    yield "incidents", f"alert-{told.alert_id}"


def _note(told: Notification) -> str:
    """What must be known before anything else, in both languages."""
    kinds = {
        "simulated": told.simulated,
        "unofficial": not told.official,
        "false": told.status == "false",
    }
    return " ".join(NOTES[kind] for kind, holds in kinds.items() if holds)


def _add_info(root: ET.Element, message: CapMessage, language: Language) -> None:
    info = ET.SubElement(root, "info")
    for name, value in _info(message, language):
        _add(info, name, value)
    for name, value in _parameters(message.told):
        _add_pair(info, "parameter", name, value)
    _add_area(info, message.told, language)


def _info(message: CapMessage, language: Language) -> Iterator[tuple[str, str]]:
    told = message.told
    over = message.type is MessageType.CANCEL
    yield "language", language
    yield from (("category", category) for category in told.categories)
    yield "event", told.subject[language]
    yield "responseType", "AllClear" if over else "Monitor"
    yield "urgency", "Past" if over else _URGENCY[told.severity]
    yield "severity", _SEVERITY[told.severity]
    yield "certainty", certainty_of(told)
    yield "effective", cap_time(told.at)
    if told.since is not None:
        yield "onset", cap_time(told.since)
    yield "expires", cap_time(expires_at(told))
    yield "senderName", CENTRE[language]
    yield "headline", told.headline[language]
    yield "description", told.detail[language] or told.headline[language]


def _parameters(told: Notification) -> Iterator[tuple[str, str]]:
    """The numbers beneath, as far as they are known."""
    names = {"recurrence_days": "ri_days"}
    for measure in ("llr", "p", "recurrence_days", "observed", "expected"):
        if measure in told.measures:
            yield names.get(measure, measure), _number(float(told.measures[measure]))
    if told.since is not None and told.until is not None:
        yield "window", f"{cap_time(told.since)}/{cap_time(told.until)}"
    yield "method", str(told.measures.get("method", told.rule))
    yield "version", str(told.measures.get("version", package_version()))
    if told.simulated:
        yield "simulated", "true"


def _number(value: float) -> str:
    return f"{value:.6g}"


def _add_area(info: ET.Element, told: Notification, language: Language) -> None:
    area = ET.SubElement(info, "area")
    names = ", ".join(place.name for place in told.places)
    _add(area, "areaDesc", names or WHOLE_PROVINCE[language])
    for polygon in polygons(told):
        _add(area, "polygon", polygon)
    for place in told.places:
        _add_pair(area, "geocode", COMMUNE, place.code)
    if told.province is not None and not told.places:
        _add_pair(area, "geocode", PROVINCE, told.province)
    for cell in told.cells:
        _add_pair(area, "geocode", CELL, h3.int_to_str(cell))


def _add_pair(parent: ET.Element, kind: str, name: str, value: str) -> None:
    pair = ET.SubElement(parent, kind)
    _add(pair, "valueName", name)
    _add(pair, "value", value)


def _add(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, name).text = plain(value)
