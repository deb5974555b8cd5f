"""Readings of a text: each mention taken as the commune, weighed by the other mentions.

Each other mention supports a reading (its district, its province, the other name of the same
commune before or after the reform), is neutral, or contradicts it. A contradicted reading is never
an answer. Weights are in points; only their order and the margin between readings that end in
different communes matter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gis.boundaries.units import Level
from gis.placing.addresses.mentions import Mention, Spelling
from gis.placing.addresses.names import NamedUnit, Sense, are_siblings

KIND_RIGHT, KIND_WRONG = 2.0, -1.0
FORMER_NAME = -1.0
SPELLING = {
    Spelling.EXACT: 0.0, Spelling.UNMARKED: 0.0, Spelling.MARKS_OFF: -0.5, Spelling.MISSPELT: -1.5,
}  # fmt: skip
DISTRICT, FORMER_DISTRICT, MIXED_DISTRICT = 3.0, 2.5, 1.5
PROVINCE, OTHER_PROVINCE = 1.0, 0.3
SAME_COMMUNE, SAME_AS_DISTRICT = 3.0, 1.5
ERA_SAID = 2.0
MARGIN = 0.6


@dataclass(slots=True)
class Reading:
    """One mention read as one unit. `points` weigh it; `against` are the mentions contradicting.

    `other_province`: with a former province that it was not in, though its district agrees.
    """

    mention: Mention
    sense: Sense
    points: float = 0.0
    district: bool = False
    mixed: bool = False
    province: bool = False
    pair: bool = False
    against: list[Mention] = field(default_factory=list)
    other_province: bool = False

    @property
    def place(self) -> NamedUnit:
        return self.sense.place

    @property
    def supported(self) -> bool:
        return self.district or self.pair

    @property
    def may_be_district(self) -> bool:
        """True where the bare name is a district's too."""
        mention = self.mention
        return mention.bare and any(True for _ in mention.of_level(Level.DISTRICT))

    @property
    def kind_right(self) -> bool:
        typed = self.mention.type
        return typed is not None and self.sense.kind in typed.kinds


def read(mentions: list[Mention]) -> list[Reading]:
    """All readings, best first."""
    _decide_provinces(mentions)
    strong = [mention for mention in mentions if not mention.weak]
    weighing = [mention for mention in mentions if not mention.weak or mention.between]
    readings = [reading for mention in strong for reading in _readings_of(mention, weighing)]
    readings.sort(key=lambda reading: (len(reading.against), -reading.points))
    return readings


def tied(readings: list[Reading]) -> list[Reading]:
    """The best uncontradicted readings, as good as each other."""
    free = [reading for reading in readings if not reading.against]
    if len(free) < 2:
        return free
    top = free[0]
    least = top.points - MARGIN
    best = [reading for reading in free if reading.points > least]
    if any(reading.place.is_new for reading in best):
        return best
    return [*best, *(one for one in free if one.points <= least and _is_rival(top, one))]


def _is_rival(top: Reading, reading: Reading) -> bool:
    """True where the top reading's name also means another unit, though that is less likely.

    The other is a former name, or a commune of today with a district of old.
    """
    if top.mention is not reading.mention:
        return False
    if reading.sense.alias and not top.sense.alias:
        alike = reading.kind_right == top.kind_right and not top.supported
        return alike and reading.points > top.points + FORMER_NAME - MARGIN
    return reading.mixed and top.mention.bare and not top.mixed and not top.pair


def _decide_provinces(mentions: list[Mention]) -> None:
    """Take the last bare name that a province has too as the province, and no other."""
    last = True
    for mention in reversed(mentions):
        provinces = [s for s in mention.senses if s.level is Level.PROVINCE and not s.alias]
        if not provinces:
            continue
        if mention.bare and last:
            mention.senses, mention.weak = tuple(provinces), False
        elif mention.bare:
            mention.senses = tuple(s for s in mention.senses if s.level is not Level.PROVINCE)
        last = False


def _readings_of(mention: Mention, mentions: list[Mention]) -> Iterator[Reading]:
    for sense in () if mention.embedded else mention.senses:
        if sense.level is not Level.COMMUNE or _of_wrong_era(mention, sense):
            continue
        reading = Reading(mention, sense)
        reading.points = _own_points(mention, sense)
        for other in reversed(mentions):  # districts first: they tell villages from siblings
            if other.start >= mention.end or other.end <= mention.start:
                _weigh(reading, other)
        if reading.against and reading.district and all(map(_is_ended_province, reading.against)):
            reading.other_province, reading.against = True, []
        yield reading


def _is_ended_province(mention: Mention) -> bool:
    """True where a name is that of a province which another took up: people mix the two."""
    return all(sense.level is Level.PROVINCE and not sense.place.is_new for sense in mention.senses)


def _of_wrong_era(mention: Mention, sense: Sense) -> bool:
    if mention.type is not None and mention.type.kinds == {"Thị trấn"} and sense.place.is_new:
        return True
    return bool(mention.era) and (mention.era == "new") is not sense.place.is_new


def _own_points(mention: Mention, sense: Sense) -> float:
    points = SPELLING[mention.spelling]
    if mention.type is not None:
        points += KIND_RIGHT if sense.kind in mention.type.kinds else KIND_WRONG
    if sense.alias:
        points += FORMER_NAME
    return points + (ERA_SAID if mention.era else 0)


def _weigh(reading: Reading, other: Mention) -> None:
    """Add the support or contradiction of another mention to a reading."""
    place = reading.sense.place
    district = province = 0.0
    if other.embedded and reading.may_be_district:
        return  # `Sa Pa market, Sa Pa` says Sa Pa twice, and not that the ward is meant
    for sense in other.senses:
        if sense.level is Level.DISTRICT:
            district = max(district, _as_district(place, sense))
        elif sense.level is Level.PROVINCE:
            province = max(province, _as_province(place, sense))
    if district and not reading.district:
        reading.district = True
        reading.mixed = district == MIXED_DISTRICT
        reading.points += district
        return
    if province:
        reading.points += 0 if reading.province else province
        reading.province = True
    elif _is_same_commune(reading, other):
        weight = SAME_AS_DISTRICT if reading.may_be_district else SAME_COMMUNE
        reading.points += 0 if reading.pair else weight
        reading.pair = True
    elif not district and _contradicts(reading, other):
        reading.against.append(other)


def _as_district(place: NamedUnit, sense: Sense) -> float:
    if sense.place in place.districts:
        return MIXED_DISTRICT if place.is_new else DISTRICT
    return FORMER_DISTRICT if sense.place in place.former_districts else 0.0


def _as_province(place: NamedUnit, sense: Sense) -> float:
    """Points of a province: that of its time; for old units also today's, as people mix them."""
    if sense.place in place.provinces:
        old_for_new = place.is_new and not sense.place.is_new
        return OTHER_PROVINCE if old_for_new else PROVINCE
    return PROVINCE if sense.place.is_new else 0.0


def _is_same_commune(reading: Reading, other: Mention) -> bool:
    """True where the other mention is this commune before or after its reform."""
    return any(
        sense.place is not reading.place and sense.place.today == reading.place.today
        for sense in other.of_level(Level.COMMUNE)
        if not (other.bare and other.spelling < Spelling.UNMARKED)
    )


def _contradicts(reading: Reading, other: Mention) -> bool:
    """True where another mention rules a reading out.

    Small places come first: a bare name before the commune is a village, not another commune.
    """
    if any(sense.place is reading.place for sense in other.senses):
        return False
    if other.bare and other.spelling is Spelling.MISSPELT:
        return False
    if other.abroad and not other.senses:
        return False  # weighed by the resolver: abroad or not is a question of the whole text
    upper = any(sense.level is not Level.COMMUNE for sense in other.senses)
    if upper or not other.bare or other.equal or other.end > reading.mention.start:
        return bool(other.senses)
    return reading.mention.bare and _is_as_likely(reading, other)


def _is_as_likely(reading: Reading, other: Mention) -> bool:
    """True where the first of two bare names side by side may be the commune as well.

    It may be a sibling of the same district, or any commune where no district is named.
    """
    if not reading.district or other.weak:
        return not other.weak
    return any(are_siblings(sense.place, reading.place) for sense in other.senses)


def communes_of(readings: Iterable[Reading]) -> set[str]:
    """Codes of the communes of today in which the readings end."""
    codes: set[str] = set()
    for reading in readings:
        codes |= reading.sense.place.today
    return codes
