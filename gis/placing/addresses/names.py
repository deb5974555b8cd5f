"""Index of all names that an address of the province may use."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from gis.boundaries.package_units import district_names, province_names
from gis.boundaries.units import Level, Unit, UnitHistory
from gis.placing.addresses.former import FORMER_DISTRICT, FORMER_PROVINCES, MOUNTAINS
from gis.placing.addresses.tokens import key_of, marks_of
from gis.placing.addresses.words import LEVEL_OF_KIND, TYPES

_MIN_MISSPELT_LETTERS = 3
_KINDS_JOINED = {
    "thitran": "Thị trấn", "thanhpho": "Thành phố", "thixa": "Thị xã", "huyen": "Huyện",
    "phuong": "Phường", "tinh": "Tỉnh", "quan": "Quận", "xa": "Xã",
}  # fmt: skip
_PROVINCE_INITIALS = {"hn": "Hà Nội", "hcm": "Hồ Chí Minh", "sg": "Hồ Chí Minh"}


@dataclass(frozen=True, eq=False, slots=True)
class NamedUnit:
    """A unit in its time, with the units that it belonged to. Compared by identity.

    `today`: codes of the communes of today that hold it. `districts`: those it was in, first its
    last one (of a commune of today: those of the wards it was made from). `provinces` likewise.
    """

    unit: Unit
    today: frozenset[str]
    districts: frozenset["NamedUnit"]
    former_districts: frozenset["NamedUnit"]
    provinces: frozenset["NamedUnit"]
    is_new: bool = field(init=False)  # a field, no property: read a dozen times an address
    level: Level = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_new", self.unit.valid_to is None)
        object.__setattr__(self, "level", self.unit.level)


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of a name. `kind` is the type of the unit under this name.

    `marks` is None when the right spelling is not known. `alias`: a former or other name.
    """

    place: NamedUnit
    kind: str
    marks: tuple[str, str] | None
    alias: bool = False
    level: Level = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", self.place.level)


@dataclass(frozen=True, slots=True)
class OutsideUnit:
    """A province or district of the country outside this province."""

    name: str
    level: Level
    marks: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Name:
    """Meanings of a key: `senses` in this province, `abroad` outside of it."""

    key: str
    senses: tuple[Sense, ...]
    abroad: tuple[OutsideUnit, ...] = ()
    mountain: bool = False  # names a unit only with its type


class Names:
    """Index of names: exact keys, beginnings of keys, and keys with one letter wrong."""

    def __init__(self, history: UnitHistory) -> None:
        self.places = tuple(_places(history))
        self.by_key = _named(_senses(self.places), _abroad(history))
        self.beginnings = frozenset(key[:n] for key in self.by_key for n in range(1, len(key) + 1))
        local = [k for k, name in self.by_key.items() if name.senses and not name.mountain]
        self._misspelt = _shortened(local)
        self._sounding = _by_sound(local)
        self.misspelt = lru_cache(maxsize=1 << 14)(self._one_letter_off)

    def _one_letter_off(self, key: str) -> tuple[Name, ...]:
        """Names of the province whose key is one letter off, or that sound alike.

        See `is_one_letter_off` and `sound`.
        """
        if len(key) < _MIN_MISSPELT_LETTERS:
            return ()
        names = {
            name
            for short in (key, *_shorter(key))
            for name in self._misspelt.get(short, ())
            if is_one_letter_off(key, name)
        }
        names |= self._sounding.get(sound(key), set())
        return tuple(self.by_key[name] for name in sorted(names))


def are_siblings(one: NamedUnit, other: NamedUnit) -> bool:
    """True where two communes are, or were made from wards, of one district."""
    return not one.districts.isdisjoint(other.districts)


def is_one_letter_off(one: str, other: str) -> bool:
    """True where one added, lost or changed letter, or two neighbours swapped, make them equal."""
    if one == other:
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return True
    a, b = one[start:], other[start:]
    swapped = len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or swapped


def sound(key: str) -> str:
    """The key with letters that northern speech confuses (s/x, ch/tr, r/d/gi, l/n, c/k) as one."""
    for spelling, letter in (("tr", "ch"), ("gi", "z"), ("x", "s"), ("r", "z"), ("d", "z"),
                           ("l", "n"), ("k", "c")):  # fmt: skip
        key = key.replace(spelling, letter)
    return key


def _shorter(key: str) -> set[str]:
    return {key[:i] + key[i + 1 :] for i in range(len(key))}


def _shortened(keys: Iterable[str]) -> dict[str, set[str]]:
    index: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        if len(key) >= _MIN_MISSPELT_LETTERS:
            for short in (key, *_shorter(key)):
                index[short].add(key)
    return dict(index)


def _by_sound(keys: Iterable[str]) -> dict[str, set[str]]:
    index: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        if len(key) >= _MIN_MISSPELT_LETTERS:
            index[sound(key)].add(key)
    return dict(index)


def _named(senses: Iterable[tuple[str, Sense]], abroad: Iterable[OutsideUnit]) -> dict[str, Name]:
    at_home: defaultdict[str, list[Sense]] = defaultdict(list)
    for key, sense in senses:
        at_home[key].append(sense)
    elsewhere: defaultdict[str, list[OutsideUnit]] = defaultdict(list)
    for unit_abroad in abroad:
        elsewhere[key_of(unit_abroad.name)].append(unit_abroad)
    for key, name in _PROVINCE_INITIALS.items():
        elsewhere[key] += [unit for unit in elsewhere[key_of(name)] if unit.level is Level.PROVINCE]
    mountains = {key_of(name) for names in MOUNTAINS.values() for name in names}
    return {
        key: Name(key, tuple(at_home[key]), tuple(elsewhere[key]), key in mountains)
        for key in at_home.keys() | elsewhere.keys()
    }


def _abroad(history: UnitHistory) -> Iterator[OutsideUnit]:
    local = {unit.name for unit in history.units if unit.level is not Level.COMMUNE}
    for level, names in ((Level.PROVINCE, province_names()), (Level.DISTRICT, district_names())):
        for name in names:
            if name not in local and not name.isdigit():
                yield OutsideUnit(name, level, marks_of(name))


def _senses(places: Iterable[NamedUnit]) -> Iterator[tuple[str, Sense]]:
    for place in places:
        unit = place.unit
        yield key_of(unit.name), Sense(place, unit.kind, marks_of(unit.name))
        for alias in unit.aliases:
            yield from _alias_senses(place, alias)
        yield from _short_forms(place)
        yield from _former_senses(place)


def _former_senses(place: NamedUnit) -> Iterator[tuple[str, Sense]]:
    unit = place.unit
    for name, provinces in FORMER_PROVINCES.items():
        if unit.level is Level.PROVINCE and unit.code in provinces and not place.is_new:
            yield key_of(name), Sense(place, unit.kind, marks_of(name), alias=True)
    if unit.level is Level.COMMUNE and not place.is_new:
        for name in MOUNTAINS.get(unit.code, ()):
            yield key_of(name), Sense(place, unit.kind, None)


def _alias_senses(place: NamedUnit, alias: str) -> Iterator[tuple[str, Sense]]:
    """Senses of an alias: `Xã Long Phúc`, or a key such as `xalongphuc` or `longphuc`."""
    kind = next((kind for kind in LEVEL_OF_KIND if alias.startswith(f"{kind} ")), None)
    if kind is not None:
        name = alias[len(kind) + 1 :]
        yield key_of(name), Sense(place, kind, marks_of(name), alias=True)
    elif " " in alias:
        yield key_of(alias), Sense(place, place.unit.kind, marks_of(alias), alias=True)
    else:
        yield from _joined_alias(place, alias)


def _joined_alias(place: NamedUnit, alias: str) -> Iterator[tuple[str, Sense]]:
    kind = next((kind for kind in _KINDS_JOINED if alias.startswith(kind)), "")
    name = key_of(alias.removeprefix(kind))
    if len(name) > _MIN_MISSPELT_LETTERS and sound(name) != sound(key_of(place.unit.name)):
        yield name, Sense(place, _KINDS_JOINED.get(kind, place.unit.kind), None, alias=True)


def _short_forms(place: NamedUnit) -> Iterator[tuple[str, Sense]]:
    unit = place.unit
    farm = "Nông trường "
    if unit.name.startswith(farm):
        rest = unit.name.removeprefix(farm)
        yield key_of(rest), Sense(place, unit.kind, marks_of(rest))
        yield "nt" + key_of(rest), Sense(place, unit.kind, None)
    initials = "".join(word[:1] for word in key_of_words(unit.name))
    if unit.level is not Level.COMMUNE and len(initials) > 1 and initials not in TYPES:
        yield initials, Sense(place, unit.kind, None)


def key_of_words(name: str) -> list[str]:
    return [key_of(word) for word in name.split()]


def _places(history: UnitHistory) -> Iterator[NamedUnit]:
    """Every unit with its districts, provinces and communes of today; provinces first."""
    upper: dict[tuple[Level, str, bool], NamedUnit] = {}
    for unit in history.units:
        if unit.level is Level.PROVINCE:
            upper[unit.level, unit.code, unit.valid_to is None] = _bare(unit)
    for unit in history.units:
        if unit.level is Level.DISTRICT:
            province = upper.get((Level.PROVINCE, unit.parent or "", False))
            upper[unit.level, unit.code, False] = _bare(unit, [province] if province else [])
    yield from upper.values()
    yield from _communes(history, upper)


def _bare(unit: Unit, provinces: Iterable[NamedUnit] = ()) -> NamedUnit:
    return NamedUnit(unit, frozenset(), frozenset(), frozenset(), frozenset(provinces))


def _communes(
    history: UnitHistory, upper: dict[tuple[Level, str, bool], NamedUnit]
) -> Iterator[NamedUnit]:
    communes = [unit for unit in history.units if unit.level is Level.COMMUNE]
    living = {unit.code for unit in communes if unit.valid_to is None}
    made_from: defaultdict[str, list[NamedUnit]] = defaultdict(list)
    for unit in communes:
        if unit.valid_to is not None:
            place = _ended(unit, _codes_of_today(unit, history) & living, upper)
            for code in place.today:
                made_from[code].append(place)
            yield place
    for unit in communes:
        if unit.valid_to is None:
            yield _living(unit, made_from[unit.code], upper)


def _ended(
    unit: Unit, today: frozenset[str], upper: dict[tuple[Level, str, bool], NamedUnit]
) -> NamedUnit:
    district = upper.get((Level.DISTRICT, unit.parent or "", False))
    former = upper.get((Level.DISTRICT, FORMER_DISTRICT.get(unit.code, ""), False))
    province = upper.get((Level.PROVINCE, unit.parent or "", True))
    return NamedUnit(
        unit,
        today,
        frozenset([district] if district else []),
        frozenset([former] if former else []),
        district.provinces if district else frozenset([province] if province else []),
    )


def _living(
    unit: Unit, made_from: list[NamedUnit], upper: dict[tuple[Level, str, bool], NamedUnit]
) -> NamedUnit:
    province = upper.get((Level.PROVINCE, unit.parent or "", True))
    districts = [district for ward in made_from for district in ward.districts]
    provinces = [province for ward in made_from for province in ward.provinces]
    current = [province] if province else []
    return NamedUnit(
        unit, frozenset([unit.code]), frozenset(districts), frozenset(),
        frozenset([*current, *provinces]),
    )  # fmt: skip


def _codes_of_today(unit: Unit, history: UnitHistory) -> frozenset[str]:
    if unit.valid_to is None:
        return frozenset([unit.code])
    eve = date.fromordinal(unit.valid_to.toordinal() - 1)
    return frozenset(code for code, _, _ in history.successors(unit.code, eve, date.max))
