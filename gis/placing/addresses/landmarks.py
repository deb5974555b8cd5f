"""Places of the gazetteer in an address: they add a point to the answer.

A village, a market, a school, a street, a kilometre of a road. A place lies in the commune that the
text names; where it names none, the only place of a name gives its commune too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import h3

from gis.boundaries.units import Unit
from gis.placing.addresses.match import AddressMatch, Candidate
from gis.placing.addresses.mentions import Mention, MentionedNames, Spelling
from gis.placing.addresses.rules import is_denial, is_relation, words_before
from gis.placing.addresses.tokens import Token, clean
from gis.placing.addresses.words import (
    BESIDE,
    COUNTED,
    HOUSE,
    INTRODUCTIONS_PLAIN,
    LANDMARKS,
    VILLAGE_WORDS,
)
from gis.placing.gazetteer import CLASS_OF_WORD, Gazetteer, NamedPoint, class_of, place_key
from gis.placing.road_kilometres import kilometres_in, point_at, roads_in

_MAX_NAME_WORDS = 10  # words
_MIN_NAME_LETTERS = 4  # letters of a name that stands without a word of its kind
_MIN_CLASS_LETTERS = 2
_CELL_RESOLUTION = 11  # hexes of 0.002 km², the stored resolution
_BESIDE_M = 300.0  # metres from a place to what is said to be beside it
_BESIDE = BESIDE - {"vào", "vao"}  # the way into a place may begin far from it
_BY_MEASURE = "lý trình"
_CONFIDENCE = 0.7
_MAX_CANDIDATES = 12


@dataclass(frozen=True, slots=True)
class Place:
    """A place that a text names: where, how exactly (m), and in which commune (code).

    `local`: it is told within a commune alone, as every commune has one of its name (`thôn 3`), or
    its kilometre is counted from where the line of the road happens to start.
    """

    name: str
    source: str
    lon: float
    lat: float
    unit: str
    radius_m: float
    local: bool = False


def with_place(
    match: AddressMatch,
    text: str,
    mentioned: MentionedNames,
    gazetteer: Gazetteer,
    communes: Mapping[str, Unit],
) -> AddressMatch:
    """The match with the point of the place that the text names most exactly.

    A place outside the unit that the text names adds nothing, nor does one no more exact than the
    unit, such as a long river. Several that fit as well, further
    apart than they are exact, are candidates.
    """
    doubtful: list[Place] = []
    best: Place | None = None
    for places in [_on_roads(text, gazetteer), *_named(mentioned, gazetteer)]:
        inside = _one_of_each(place for place in places if _may_lie_in(place, match, communes))
        if len(inside) == 1 and (best is None or inside[0].radius_m < best.radius_m):
            best = inside[0]
        elif len(inside) > 1 and not doubtful:
            doubtful = inside
    if best is not None:
        return _at(match, best, communes)
    if doubtful and (match.commune is not None or not match.candidates):
        return replace(match, candidates=(*match.candidates, *_candidates(doubtful, communes)))
    return match


def _may_lie_in(place: Place, match: AddressMatch, communes: Mapping[str, Unit]) -> bool:
    if match.commune is not None:
        narrows = match.precision_m is None or place.radius_m < match.precision_m
        return place.unit == match.commune.code and narrows
    open_to = {candidate.code for candidate in match.candidates} or communes.keys()
    return place.unit in open_to and not place.local


def _one_of_each(places: Iterable[Place]) -> list[Place]:
    """Places without those within the precision of a more exact one: they are that one again."""
    kept: list[Place] = []
    for place in sorted(places, key=lambda place: place.radius_m):
        if not any(_is_same(place, other) for other in kept):
            kept.append(place)
    return kept


def _is_same(one: Place, other: Place) -> bool:
    if one.unit != other.unit:
        return False
    metres = h3.great_circle_distance((one.lat, one.lon), (other.lat, other.lon), unit="m")
    return bool(metres <= max(one.radius_m, other.radius_m))


def _at(match: AddressMatch, place: Place, communes: Mapping[str, Unit]) -> AddressMatch:
    located = replace(
        match,
        lon=place.lon,
        lat=place.lat,
        cell=h3.latlng_to_cell(place.lat, place.lon, _CELL_RESOLUTION),
        precision_m=round(place.radius_m, 1),
        matched=place.name,
    )
    if match.commune is not None:
        return located
    commune = communes[place.unit]
    return replace(
        located,
        commune=commune,
        era="new",
        confidence=_CONFIDENCE,
        candidates=(),
        why=f"{place.name} ({place.source}) ở {commune.full_name}. / "
        f"{place.name} ({place.source}) lies in {commune.full_name}.",
    )


def _candidates(places: Sequence[Place], communes: Mapping[str, Unit]) -> Iterator[Candidate]:
    for place in places[:_MAX_CANDIDATES]:
        commune = communes[place.unit].full_name
        where = f"{place.lat:.5f}, {place.lon:.5f} ({place.source})"
        why = f"{commune}, một trong nhiều nơi cùng tên / one of several of its name: {where}"
        yield Candidate(place.unit, place.name, why)


# Kilometres -----------------------------------------------------------------------------------


def _on_roads(text: str, gazetteer: Gazetteer) -> list[Place]:
    """The points of the roads at the kilometre named; of two kilometres, that in the middle."""
    plain = clean(text)
    kilometres = kilometres_in(plain)
    if not 1 <= len(kilometres) <= 2:
        return []
    middle = sum(kilometres) / len(kilometres)
    half_m = (max(kilometres) - min(kilometres)) * 500
    places: list[Place] = []
    for keys in roads_in(plain):
        point = point_at(gazetteer.networks(), keys, middle)
        if point is not None:
            unit = gazetteer.commune_at(point.lon, point.lat) or ""
            radius_m = max(point.precision_m, half_m)
            places.append(
                Place(point.name, _BY_MEASURE, point.lon, point.lat, unit, radius_m, point.assumed)
            )
    return places


# Names ----------------------------------------------------------------------------------------


def _named(mentioned: MentionedNames, gazetteer: Gazetteer) -> Iterator[list[Place]]:
    """Places of each phrase of the text, the longest phrase that is a name at each word."""
    units = {
        i
        for mention in mentioned.mentions
        if _is_unit(mention)
        for i in range(mention.start, mention.end)
    }
    start = 0
    while start < len(mentioned.tokens):
        end = start + 1
        before = words_before(mentioned.tokens, 0, start)
        if start not in units and not _is_of_another(before):
            for stop, key in reversed(list(_phrases(mentioned, start, units))):
                places = _places(mentioned, start, stop, key, before, gazetteer)
                if places:
                    yield places
                    end = stop
                    break
        start = end


def _is_unit(mention: Mention) -> bool:
    """True where a name is that of a unit; one that is a letter off may be a place's own."""
    misspelt = mention.bare and mention.spelling is Spelling.MISSPELT
    return not (mention.weak or mention.hinted or misspelt)


def _phrases(mentioned: MentionedNames, start: int, units: set[int]) -> Iterator[tuple[int, str]]:
    key = ""
    for i in range(start, min(start + _MAX_NAME_WORDS, len(mentioned.tokens))):
        if i > start and mentioned.tokens[i].pause >= 2:
            return
        key += mentioned.tokens[i].word.key
        if i not in units:
            yield i + 1, key


def _places(
    mentioned: MentionedNames,
    start: int,
    stop: int,
    key: str,
    before: list[Token],
    gazetteer: Gazetteer,
) -> list[Place]:
    """The places that words `start` to `stop` name; none where the words around speak of others."""
    word = before[0].word.key if before else ""
    typed = word in CLASS_OF_WORD
    starts_typed = mentioned.tokens[start].word.key in LANDMARKS
    has_digit = any(char.isdigit() for char in key)
    letters = _MIN_CLASS_LETTERS if typed or (has_digit and starts_typed) else _MIN_NAME_LETTERS
    if len(key) < letters or key.isdigit():
        return []
    points = [
        point
        for point in gazetteer.named(place_key(key), word)
        if not typed or _is_of_class(point, word)
    ]
    points += _of_class_named(mentioned.tokens[start:stop], gazetteer)
    if not points or not _stands_by_itself(mentioned, stop, before, typed or starts_typed):
        return []
    beside = any(token.word.text in _BESIDE for token in before)
    return [_place(point, beside=beside, local=has_digit) for point in points]


def _of_class_named(phrase: list[Token], gazetteer: Gazetteer) -> Iterator[NamedPoint]:
    """Places of the class that a phrase begins with, by the rest of it: `thôn Sín Chải`."""
    word = phrase[0].word.key
    rest = "".join(token.word.key for token in phrase[1:])
    if word in CLASS_OF_WORD and len(rest) >= _MIN_CLASS_LETTERS and not rest.isdigit():
        for point in gazetteer.named(place_key(rest), word):
            if _is_of_class(point, word):
                yield point


def _is_of_class(point: NamedPoint, word: str) -> bool:
    """True where a place is of the class that the word before its name says; `chợ Cốc Lếu` is no
    village.
    """
    place_class = class_of(point.kind)
    return place_class == CLASS_OF_WORD[word] or (place_class is None and word in VILLAGE_WORDS)


def _place(point: NamedPoint, *, beside: bool, local: bool) -> Place:
    radius_m = max(point.radius_m, _BESIDE_M) if beside else point.radius_m
    return Place(point.name, point.source, point.lon, point.lat, point.unit, radius_m, local)


def _stands_by_itself(
    mentioned: MentionedNames, stop: int, before: list[Token], typed: bool
) -> bool:
    """True where nothing says that the place is only near, or that the name is another's.

    Without a word of its kind a name counts only where nothing but it stands in its part, after
    a number, or after such words as `tại`.
    """
    marked = mentioned.marked
    relations = [token for token in before if is_relation(token, marked)]
    if any(token.word.text not in _BESIDE for token in relations):
        return False
    if any(is_denial(token, marked) for token in before):
        return False
    follows = mentioned.tokens[stop : stop + 1]
    goes_on = bool(follows) and follows[0].pause < 2
    starts = {mention.start for mention in mentioned.mentions} | {
        unresolved.start for unresolved in mentioned.unresolved
    }
    if goes_on and follows[0].word.key.isdigit():
        return False
    if typed:
        return True
    phrase = "".join(f" {token.word.key}" for token in reversed(before[:4]))
    led = (
        not before
        or before[0] in relations
        or before[0].word.key.isdigit()
        or before[0].word.key in COUNTED | HOUSE
        or phrase.endswith(INTRODUCTIONS_PLAIN)
    )
    return led and (not goes_on or stop in starts)


def _is_of_another(before: list[Token]) -> bool:
    """True where the name is part of another landmark's: `Cốc Lếu` in `trường Cốc Lếu`.

    A word for a kind of place that has a class is judged with the place.
    """
    if not before:
        return False
    word = before[0].word.key
    return word in LANDMARKS and word not in VILLAGE_WORDS and word not in CLASS_OF_WORD
