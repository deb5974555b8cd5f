"""Faults of CAP documents that the schema lets pass, in words."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from xml.etree import ElementTree as ET

from gis.notify.cap.document import LIKELY_FROM_DAYS, NAMESPACE

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")
_NAME = re.compile(r"[^\s,<&]+")
_LANGUAGES = {"vi", "en"}
_VOCABULARY = {
    "status": {"Actual", "Exercise", "System", "Test", "Draft"},
    "msgType": {"Alert", "Update", "Cancel", "Ack", "Error"},
    "scope": {"Public", "Restricted", "Private"},
    "urgency": {"Immediate", "Expected", "Future", "Past", "Unknown"},
    "severity": {"Extreme", "Severe", "Moderate", "Minor", "Unknown"},
    "certainty": {"Observed", "Likely", "Possible", "Unlikely", "Unknown"},
    "category": {
        "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport",
        "Infra", "CBRNE", "Other",
    },
}  # fmt: skip
_HEAD = ("identifier", "sender", "sent", "status", "msgType", "scope")
_INFO = (
    "language", "category", "event", "urgency", "severity", "certainty", "expires", "headline",
    "description",
)  # fmt: skip


def cap_faults(document: str) -> list[str]:
    """All faults of a document; empty for one that may be published."""
    if "<!DOCTYPE" in document:
        return ["a CAP document has no DOCTYPE"]
    try:
        root = ET.fromstring(document)
    except ET.ParseError as error:
        return [f"this is no XML: {error}"]
    if root.tag != f"{{{NAMESPACE}}}alert":
        return [f"the root is {root.tag}, not alert of {NAMESPACE}"]
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    return [*_head_faults(root), *_text_faults(root), *_info_list_faults(root)]


def _head_faults(root: ET.Element) -> Iterator[str]:
    yield from _missing(root, _HEAD, "alert")
    yield from _vocabulary_faults(root, ("status", "msgType", "scope"))
    for name in ("identifier", "sender"):
        if not _NAME.fullmatch(_text(root, name)):
            yield f"{name} holds a blank, a comma, < or &, or is empty"
    if _text(root, "scope") == "Restricted" and not _text(root, "restriction"):
        yield "scope Restricted needs restriction"
    if _text(root, "status") == "Exercise" and not _text(root, "note"):
        yield "status Exercise needs a note that says which"
    yield from _reference_faults(root)


def _reference_faults(root: ET.Element) -> Iterator[str]:
    references = _text(root, "references").split()
    if _text(root, "msgType") in ("Update", "Cancel") and not references:
        yield f"msgType {_text(root, 'msgType')} needs references"
    if _text(root, "msgType") == "Alert" and references:
        yield "msgType Alert has no references"
    for reference in references:
        parts = reference.split(",")
        if len(parts) != 3 or not all(parts) or _time_fault(parts[2]):
            yield f"reference {reference} is not sender,identifier,sent"


def _text_faults(root: ET.Element) -> Iterator[str]:
    for element in root.iter():
        text = element.text or ""
        if not unicodedata.is_normalized("NFC", text):
            yield f"{element.tag} is not in Unicode form NFC"
        if element.tag in ("sent", "effective", "onset", "expires") and _time_fault(text):
            yield f"{element.tag} {text} is not a time such as 2026-03-01T08:00:00+07:00"


def _time_fault(text: str) -> bool:
    """No `Z`, no fraction, and a day that exists."""
    if not _TIME.fullmatch(text):
        return True
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return True
    return False


def _info_list_faults(root: ET.Element) -> Iterator[str]:
    infos = root.findall("info")
    languages = [_text(info, "language") for info in infos]
    if set(languages) != _LANGUAGES or len(languages) != len(_LANGUAGES):
        yield f"info is in {languages}, not once in vi and once in en"
    for info in infos:
        yield from _info_faults(root, info)


def _info_faults(root: ET.Element, info: ET.Element) -> Iterator[str]:
    yield from _missing(info, _INFO, "info")
    yield from _vocabulary_faults(info, ("category", "urgency", "severity", "certainty"))
    sent, expires = _text(root, "sent"), _text(info, "expires")
    if not (_time_fault(sent) or _time_fault(expires)) and _moment(expires) <= _moment(sent):
        yield f"expires {expires} is not after sent {sent}"
    yield from _certainty_faults(root, info)
    areas = info.findall("area")
    if not areas:
        yield "info needs an area"
    for area in areas:
        yield from _area_faults(area)


def _certainty_faults(root: ET.Element, info: ET.Element) -> Iterator[str]:
    values = {_text(each, "valueName"): _text(each, "value") for each in info.findall("parameter")}
    certainty, interval = _text(info, "certainty"), values.get("ri_days")
    if certainty == "Observed" and _text(root, "scope") != "Public":
        yield "certainty Observed needs a person's approval, so never scope Restricted"
    if certainty == "Likely" and interval is not None and float(interval) < LIKELY_FROM_DAYS:
        yield f"certainty Likely needs ri_days of {LIKELY_FROM_DAYS:g}, this has {interval}"
    if values.get("simulated") == "true" and _text(root, "status") == "Actual":
        yield "simulated data is never status Actual"


def _area_faults(area: ET.Element) -> Iterator[str]:
    yield from _missing(area, ("areaDesc",), "area")
    for polygon in area.findall("polygon"):
        yield from _polygon_faults(polygon.text or "")
    for pair in area.findall("geocode"):
        yield from _missing(pair, ("valueName", "value"), "geocode")


def _polygon_faults(text: str) -> Iterator[str]:
    points = [tuple(point.split(",")) for point in text.split()]
    if len(points) < 4:
        yield f"a polygon needs 4 points or more, this has {len(points)}"
    if points and points[0] != points[-1]:
        yield "a polygon ends where it began"
    wrong = [point for point in points if not _is_lat_lon(point)]
    if wrong:
        yield f"{','.join(wrong[0])} is not latitude,longitude in degrees"


def _is_lat_lon(point: tuple[str, ...]) -> bool:
    try:
        latitude, longitude = (float(part) for part in point)
    except ValueError:
        return False
    return -90 <= latitude <= 90 and -180 <= longitude <= 180


def _missing(parent: ET.Element, names: tuple[str, ...], parent_name: str) -> Iterator[str]:
    for name in names:
        if not _text(parent, name):
            yield f"{parent_name} needs {name}"


def _vocabulary_faults(parent: ET.Element, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        for element in parent.findall(name):
            if element.text not in _VOCABULARY[name]:
                yield f"{name} {element.text} is none of {', '.join(sorted(_VOCABULARY[name]))}"


def _text(parent: ET.Element, name: str) -> str:
    return (parent.findtext(name) or "").strip()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
