"""Administrative units through time: look-up of codes by day, and lineage."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property


class Level(StrEnum):
    PROVINCE = "province"
    DISTRICT = "district"
    COMMUNE = "commune"


class BoundaryQuality(StrEnum):
    OFFICIAL = "official"
    APPROXIMATE = "approximate"


@dataclass(frozen=True, slots=True)
class Unit:
    """One administrative unit during one span of time.

    `valid_from` is the first day, None when the start is unknown; `valid_to` is the first day on
    which it is no more, None while it lives. `parent` is the code of the unit above it, of the
    same span. `aliases` are earlier or other names, as written by people.
    """

    code: str
    name: str  # without type: "Sa Pa"
    full_name: str  # with type: "Phường Sa Pa"
    kind: str  # "Tỉnh", "Huyện", "Thị xã", "Thành phố", "Phường", "Xã", "Thị trấn"
    level: Level
    valid_from: date | None
    valid_to: date | None
    parent: str | None
    name_en: str = ""
    aliases: tuple[str, ...] = ()
    area_km2: float | None = None  # official area

    def valid_on(self, day: date) -> bool:
        started = self.valid_from is None or self.valid_from <= day
        return started and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True)
class UnitChange:
    """On day `on`, `share_area` and `share_population` (0–1) of `old` became part of `new`.

    `old` and `new` are codes of communes, before and from that day. `estimated` says that a share
    was computed and not published.
    """

    old: str
    new: str
    on: date
    share_area: float = 1.0
    share_population: float = 1.0
    estimated: bool = False


@dataclass(frozen=True)
class UnitHistory:
    """All units of a province and their changes. Look-ups always take a day."""

    units: tuple[Unit, ...]
    changes: tuple[UnitChange, ...]

    @cached_property
    def _by_code(self) -> dict[tuple[Level, str], list[Unit]]:
        index: dict[tuple[Level, str], list[Unit]] = {}
        for unit in self.units:
            index.setdefault((unit.level, unit.code), []).append(unit)
        return index

    def unit(self, code: str, level: Level, day: date) -> Unit | None:
        """The unit with this code on that day, or None."""
        spans = self._by_code.get((level, code), ())
        return next((unit for unit in spans if unit.valid_on(day)), None)

    def on(self, day: date, level: Level) -> Iterator[Unit]:
        return (unit for unit in self.units if unit.level is level and unit.valid_on(day))

    def successors(self, code: str, since: date, until: date) -> list[tuple[str, float, bool]]:
        """Communes of day `until` that hold the commune `code` of day `since`.

        Each as (code, share of area 0–1, True where a share on the way was estimated).
        """
        shares = {code: (1.0, False)}
        for change_day in self._change_days(since, until):
            shares = _apply_changes(shares, [c for c in self.changes if c.on == change_day])
        return [(successor, share, estimated) for successor, (share, estimated) in shares.items()]

    def _change_days(self, since: date, until: date) -> list[date]:
        return sorted({c.on for c in self.changes if since < c.on <= until})


def _apply_changes(
    shares: dict[str, tuple[float, bool]], changes: Iterable[UnitChange]
) -> dict[str, tuple[float, bool]]:
    by_old: dict[str, list[UnitChange]] = {}
    for change in changes:
        by_old.setdefault(change.old, []).append(change)
    passed: dict[str, tuple[float, bool]] = {}
    for code, (share, estimated) in shares.items():
        for change in by_old.get(code, [UnitChange(code, code, date.min)]):
            before = passed.get(change.new, (0.0, False))
            passed[change.new] = (
                before[0] + share * change.share_area,
                before[1] or estimated or change.estimated,
            )
    return passed
