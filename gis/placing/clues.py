"""Clues: what the words of a record say of its commune, held against each other and its point.

A clue that is sure excludes all other communes; one that is not can only confirm or narrow.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from gis.placing.addresses import AddressMatch
from gis.placing.unit_names import UnitMatch

# Confidence from which an address excludes other communes: that of a commune with its type.
SURE_ADDRESS = 0.65
_DISTRICT_CONFIDENCE = 0.5  # a district leaves some ten communes
_WEAKENED = 0.7
NARROWED = 0.8  # confidence of the one commune that several unclear clues leave


class Words(NamedTuple):
    """Texts of one record that name its place, empty where there is none; `day` as in `Claims`."""

    address: str
    unit: str
    district: str
    day: date | None

    def __bool__(self) -> bool:
        return bool(self.address or self.unit or self.district)


@dataclass(frozen=True, slots=True)
class Clue:
    """The communes of today (codes) that one column of a record may mean."""

    vi: str  # the column in words
    en: str
    communes: frozenset[str]
    confidence: float
    sure: bool


@dataclass(frozen=True, slots=True)
class Clues:
    """All clues in the words of a record; `address` and `unit` None where the record has none."""

    address: AddressMatch | None
    unit: UnitMatch | None
    all: tuple[Clue, ...]

    def against(self, communes: Iterable[str]) -> Clue | None:
        """The first sure clue that excludes all of these communes."""
        named = frozenset(communes)
        return next((clue for clue in self.all if clue.sure and not clue.communes & named), None)

    def agreed_confidence(self, commune: str, confidence: float, *, but: str) -> float:
        """The confidence (0–1) of a commune that the column `but` names, with the other clues.

        One that names it too halves the doubt or more; one that does not weakens it.
        """
        doubt = 1 - confidence
        for clue in self.all:
            if clue.en != but and commune in clue.communes:
                doubt *= 1 - clue.confidence
            elif clue.en != but:
                doubt = 1 - (1 - doubt) * _WEAKENED
        return round(1 - doubt, 3)

    @property
    def common(self) -> frozenset[str]:
        """The communes that all clues leave, where there are at least two clues."""
        if len(self.all) < 2:
            return frozenset()
        return frozenset.intersection(*(clue.communes for clue in self.all))

    @property
    def abroad(self) -> bool:
        """True where the address names a place outside the province."""
        return self.address is not None and self.address.abroad


ADDRESS = "the address"
COMMUNE = "the column of the commune"
DISTRICT = "the column of the district"


def address_clue(match: AddressMatch) -> Clue | None:
    """The clue of an address, None where it says nothing of the communes of the province."""
    if match.commune is not None:
        sure = match.confidence >= SURE_ADDRESS
        codes = frozenset([match.commune.code])
        return Clue("địa chỉ", ADDRESS, codes, match.confidence, sure)
    codes = frozenset(candidate.code for candidate in match.candidates)
    return Clue("địa chỉ", ADDRESS, codes, _DISTRICT_CONFIDENCE, sure=False) if codes else None


def unit_clue(on_day: UnitMatch, ever: UnitMatch) -> Clue | None:
    """The clue of a commune's code or name, read on the day of the record and on any day.

    Old names stay in use after a reform, so whatever it may mean on any day is not excluded.
    """
    codes = on_day.meant | ever.meant
    confidence = on_day.confidence or _DISTRICT_CONFIDENCE
    return Clue("cột xã", COMMUNE, codes, confidence, sure=True) if codes else None


def district_clue(codes: frozenset[str]) -> Clue | None:
    """The clue of a district, by the communes of today that hold a part of it."""
    return Clue("cột huyện", DISTRICT, codes, _DISTRICT_CONFIDENCE, sure=True) if codes else None
