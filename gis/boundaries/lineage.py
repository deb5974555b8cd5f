"""Counts carried between units of different days: by commune of today, by district of old.

A record whose unit of its day is known counts exactly. One that is known by its commune of today
alone is shared among the districts of the wards that the commune was made of, in equal parts a
ward; such a count says that it is estimated. The total is the same whichever units are asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from gis.boundaries.units import Level, Unit, UnitHistory


@dataclass(frozen=True, slots=True)
class Key:
    """Units of records, as codes: of their day (`then`) and of today (`commune`).

    `is_old`: their day lies in the time of the old units.
    """

    then: str | None
    commune: str | None
    is_old: bool


@dataclass(frozen=True, slots=True)
class UnitCount:
    """Records of a unit; `unit` None holds those that have none. `estimated`: some were shared."""

    unit: Unit | None
    count: float
    estimated: bool


def counts_by_commune(
    history: UnitHistory, counts: Mapping[Key, int], day: date
) -> list[UnitCount]:
    """Counts by commune of `day`, which is today's."""
    totals: dict[str | None, float] = defaultdict(float)
    for key, count in counts.items():
        totals[key.commune] += count
    unit_counts = [
        UnitCount(history.unit(code, Level.COMMUNE, day) if code else None, count, False)
        for code, count in totals.items()
    ]
    return _ordered(unit_counts)


def counts_by_old_district(
    history: UnitHistory, counts: Mapping[Key, int], last_day: date
) -> list[UnitCount]:
    """Counts by district as of `last_day`, the last one on which there were districts."""
    totals: dict[str | None, float] = defaultdict(float)
    estimated: set[str | None] = set()
    for key, count in counts.items():
        shares = district_shares(history, key, last_day)
        for district, share in shares.items():
            totals[district] += count * share
        if len(shares) > 1:
            estimated |= shares.keys()
    unit_counts = [
        UnitCount(
            history.unit(code, Level.DISTRICT, last_day) if code else None,
            count,
            code in estimated,
        )
        for code, count in totals.items()
    ]
    return _ordered(unit_counts)


def district_shares(history: UnitHistory, key: Key, last_day: date) -> dict[str | None, float]:
    """Shares of the records of a key by district as of `last_day`; they add up to 1."""
    wards = [history.unit(code, Level.COMMUNE, last_day) for code in _old_wards(history, key)]
    parents = [ward.parent for ward in wards if ward is not None]
    if not parents:
        return {None: 1.0}
    return {parent: number / len(parents) for parent, number in Counter(parents).items()}


def _old_wards(history: UnitHistory, key: Key) -> list[str]:
    """The old ward of the records, or all that their commune was made of.

    Codes are used again: the commune's own code is an old ward's only on an old day.
    """
    if key.then is not None and (key.is_old or key.then != key.commune):
        return [key.then]
    return sorted({change.old for change in history.changes if change.new == key.commune})


def _ordered(unit_counts: list[UnitCount]) -> list[UnitCount]:
    return sorted(
        unit_counts,
        key=lambda unit_count: (
            unit_count.unit is None,
            unit_count.unit.code if unit_count.unit else "",
        ),
    )
