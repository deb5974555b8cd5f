"""Landmarks and villages of the gazetteer in an address: they add a point to the answer."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import h3

from gis.boundaries.units import Unit
from gis.placing.addresses.match import AddressMatch
from gis.placing.addresses.mentions import MentionedNames
from gis.placing.addresses.words import LANDMARKS, VILLAGE_WORDS
from gis.placing.gazetteer import Gazetteer, NamedPoint

_MAX_NAME_WORDS = 7  # words
_MIN_NAME_LETTERS = 4  # letters
_CELL_RESOLUTION = 11  # hexes of 0.002 km², the stored resolution
_VILLAGE_RADIUS_M, _LANDMARK_RADIUS_M = 500.0, 100.0
_VILLAGE_KINDS = frozenset({"village", "thôn", "bản", "làng", "xóm", "tổ", "tổ dân phố", "ấp"})
_CONFIDENCE = 0.7


def with_landmark(
    match: AddressMatch,
    mentioned: MentionedNames,
    gazetteer: Gazetteer,
    communes: Mapping[str, Unit],
) -> AddressMatch:
    """The match with the landmark's point; the landmark's commune when the text left it open.

    A landmark outside the unit that the text names, or one of several of that name, adds nothing.
    """
    for points in _named(mentioned, gazetteer):
        if match.commune is not None:
            inside = [point for point in points if point.unit == match.commune.code]
        else:
            open_to = {candidate.code for candidate in match.candidates} or communes.keys()
            inside = [point for point in points if point.unit in open_to]
        if len(inside) == 1:
            return _at(match, inside[0], communes)
    return match


def _at(match: AddressMatch, point: NamedPoint, communes: Mapping[str, Unit]) -> AddressMatch:
    cell = h3.latlng_to_cell(point.lat, point.lon, _CELL_RESOLUTION)
    radius = _VILLAGE_RADIUS_M if point.kind in _VILLAGE_KINDS else _LANDMARK_RADIUS_M
    located = replace(match, lon=point.lon, lat=point.lat, cell=cell, precision_m=radius)
    if match.commune is not None:
        return located
    commune = communes[point.unit]
    return replace(
        located,
        commune=commune,
        era="new",
        confidence=_CONFIDENCE,
        candidates=(),
        why=f"{point.name} ({point.source}) ở {commune.full_name}. / "
        f"{point.name} ({point.source}) lies in {commune.full_name}.",
    )


def _named(mentioned: MentionedNames, gazetteer: Gazetteer) -> Iterator[list[NamedPoint]]:
    """Rows for each phrase of the text, longer phrases first at each word."""
    units = {i for m in mentioned.mentions if not m.weak for i in range(m.start, m.end)}
    for start in range(len(mentioned.tokens)):
        for end, key in reversed(list(_phrases(mentioned, start))):
            if start in units or end - 1 in units or _is_of_another(mentioned, start):
                continue
            points = gazetteer.named(key) if len(key) >= _MIN_NAME_LETTERS else []
            if points:
                yield points
                break


def _phrases(mentioned: MentionedNames, start: int) -> Iterator[tuple[int, str]]:
    key = ""
    for i in range(start, min(start + _MAX_NAME_WORDS, len(mentioned.tokens))):
        if i > start and mentioned.tokens[i].pause >= 2:
            return
        key += mentioned.tokens[i].word.key
        yield i + 1, key


def _is_of_another(mentioned: MentionedNames, start: int) -> bool:
    """True where the name is part of another landmark's: `Cốc Lếu` in `trường Cốc Lếu`."""
    if start == 0 or mentioned.tokens[start].pause >= 2:
        return False
    before = mentioned.tokens[start - 1].word.key
    return before in LANDMARKS and before not in VILLAGE_WORDS
