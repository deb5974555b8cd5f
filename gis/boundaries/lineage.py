"""Lineage of units: of which wards and districts of before the reform a record is.

A record whose unit of its day is known is of that ward. One that is known by its commune of today
alone is shared among the wards that the commune was made of, in equal parts; what is made of such
shares is estimated. The shares of a record add up to 1, so that totals are the same whichever
units are asked for.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from gis.boundaries.package_units import REFORM
from gis.boundaries.units import Level, UnitHistory

LAST_OLD_DAY = REFORM - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Key:
    """Units of records, as codes: of their day (`then`) and of today (`commune`).

    `is_old`: their day lies in the time of the old units.
    """

    then: str | None
    commune: str | None
    is_old: bool


def old_shares(history: UnitHistory, key: Key, level: Level) -> dict[str | None, float]:
    """Shares of the records of a key by ward (Level.COMMUNE) or district as of LAST_OLD_DAY.

    They add up to 1; {None: 1.0} where no old unit is known.
    """
    wards = [
        ward
        for code in _old_wards(history, key)
        if (ward := history.unit(code, Level.COMMUNE, LAST_OLD_DAY)) is not None
    ]
    codes = [ward.parent if level is Level.DISTRICT else ward.code for ward in wards]
    if not codes:
        return {None: 1.0}
    return {code: number / len(codes) for code, number in Counter(codes).items()}


def _old_wards(history: UnitHistory, key: Key) -> list[str]:
    """The old ward of the records, or all that their commune was made of.

    Codes are used again: the commune's own code is an old ward's only on an old day, and so is
    that of a commune which a later decree ended.
    """
    later = {change.old for change in history.changes if change.on > REFORM}
    is_ward = key.is_old or (key.then != key.commune and key.then not in later)
    if key.then is not None and is_ward:
        return [key.then]
    return wards_of(history, key.commune)


def wards_of(history: UnitHistory, commune: str | None) -> list[str]:
    """The codes of the old wards that a commune of today was made of, back through each decree."""
    return predecessors(history, commune, LAST_OLD_DAY)


def predecessors(history: UnitHistory, commune: str | None, day: date) -> list[str]:
    """The codes, on an earlier day, of the units that a commune of today was made of."""
    codes = {commune} - {None}
    days = sorted({change.on for change in history.changes if change.on > day}, reverse=True)
    for changed_on in days:
        changes = [change for change in history.changes if change.on == changed_on]
        changed = {change.new for change in changes} & codes
        kept = {code for code in codes - changed if _lived_before(history, code, changed_on)}
        codes = kept | {change.old for change in changes if change.new in changed}
    return sorted(code for code in codes if code is not None)


def _lived_before(history: UnitHistory, code: str | None, day: date) -> bool:
    """True for the code of a commune that began before a day on which it lives."""
    unit = history.unit(code or "", Level.COMMUNE, day)
    return unit is not None and (unit.valid_from is None or unit.valid_from < day)
