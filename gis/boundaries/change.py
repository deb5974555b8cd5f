"""Decrees: later changes of units as a TOML file, checked and stored in one transaction.

    on = 2026-04-30
    source = "Nghị quyết số …"

    [[new]]
    code = "02999"
    full_name = "Phường Ví Dụ"
    from = [{ code = "02647", share_area = 0.4, share_population = 0.5, estimated = true },
            { code = "02671" }]

A unit whose name alone changes becomes a new unit with its old code. What each old unit gives away
adds up to all of it. New polygons come with the next `gis boundaries load`; until then a unit that
was merged whole has the union of the old polygons, and a part of a split one has none.
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import isclose
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import Connection, text

from gis.alerts.units import SucceededCommune, follow_later, follow_units
from gis.boundaries.store import insert_changes, read_history
from gis.boundaries.units import Level, Unit, UnitChange, UnitHistory
from gis.clock import today
from gis.database.engine import Database
from gis.errors import BadFile, Conflict
from gis.text import fault_words, nfc, without_diacritics

_KINDS = ("Thị trấn", "Đặc khu", "Phường", "Xã")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Strict):
    """The part of an old unit that a new one gets: shares of its area and population, 0–1."""

    code: str = Field(pattern=r"^\d{5}$")
    share_area: float = Field(1.0, gt=0, le=1)
    share_population: float = Field(1.0, ge=0, le=1)
    estimated: bool = False


class NewUnit(_Strict):
    code: str = Field(pattern=r"^\d{5}$")
    full_name: str = Field(description="With its type, such as Phường or Xã")
    area_km2: float | None = Field(None, gt=0)
    parts: tuple[Part, ...] = Field(alias="from", min_length=1)

    @model_validator(mode="after")
    def _has_a_kind(self) -> Self:
        if not nfc(self.full_name).startswith(_KINDS):
            raise ValueError(f"full_name starts with one of {', '.join(_KINDS)}")
        return self


class Decree(_Strict):
    """A decree: the first day on which it holds, its source, and the units that it makes."""

    on: date
    source: str = Field(min_length=1)
    new: tuple[NewUnit, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class ChangeReport:
    on: date
    ended: int
    begun: int
    without_polygon: tuple[str, ...]


def apply_change(database: Database, path: Path) -> ChangeReport:
    """Store a decree: old units end on its day, new ones begin, with lineage.

    Live alerts, subscriptions and duties of the old ones are of the new ones at once, or as its day
    begins.

    Raises BadFile when the file is wrong or its shares do not add up, Conflict when an old unit
    did not live on the day before or a new code is taken.
    """
    decree = read_decree(path)
    with database.writing() as connection:
        history = read_history(connection)
        old_units = _old_units(decree, history)
        _check_shares(decree, path.name)
        _check_free(decree, history, {unit.code for unit in old_units})
        _end(connection, old_units, decree.on)
        _begin(connection, decree, old_units[0].parent)
        insert_changes(connection, list(_changes(decree)), decree.source)
        without_polygon = _unite_polygons(connection, decree)
        succeeded = list(_succeeded(decree, old_units))
        if decree.on <= today():
            follow_units(connection, succeeded)
        else:
            follow_later(connection, decree.on, succeeded)
    return ChangeReport(decree.on, len(old_units), len(decree.new), tuple(without_polygon))


def read_decree(path: Path) -> Decree:
    """The decree in a file; raises BadFile, naming each fault."""
    try:
        return Decree.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadFile(f"{path.name}: {error}") from error
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc']))}: {fault_words(fault['msg'])}"
            for fault in error.errors()
        ]
        raise BadFile(f"{path.name}: {'; '.join(faults)}") from error


def _old_units(decree: Decree, history: UnitHistory) -> list[Unit]:
    day_before = date.fromordinal(decree.on.toordinal() - 1)
    units = {}
    for part in (part for new_unit in decree.new for part in new_unit.parts):
        unit = history.unit(part.code, Level.COMMUNE, day_before)
        if unit is None or (unit.valid_to is not None and unit.valid_to <= decree.on):
            raise Conflict(f"no commune {part.code} lived on {day_before}: check code and day")
        units[part.code] = unit
    return list(units.values())


def _check_shares(decree: Decree, name: str) -> None:
    parts_by_code: dict[str, list[Part]] = {}
    for part in (part for new_unit in decree.new for part in new_unit.parts):
        parts_by_code.setdefault(part.code, []).append(part)
    for code, parts in parts_by_code.items():
        for measure in ("share_area", "share_population"):
            total = sum(getattr(part, measure) for part in parts)
            if not isclose(total, 1, abs_tol=1e-6):
                raise BadFile(
                    f"{name}: the {measure} that {code} gives away adds up to {total:g}, not to 1; "
                    "list each part of it, also the one that keeps its code"
                )


def _check_free(decree: Decree, history: UnitHistory, ending: set[str]) -> None:
    for new_unit in decree.new:
        living = history.unit(new_unit.code, Level.COMMUNE, decree.on)
        if living is not None and new_unit.code not in ending:
            raise Conflict(f"the code {new_unit.code} belongs to {living.full_name} on {decree.on}")


def _succeeded(decree: Decree, old_units: Sequence[Unit]) -> Iterator[SucceededCommune]:
    for unit in old_units:
        into = {
            new.code: nfc(new.full_name)
            for new in decree.new
            if any(part.code == unit.code for part in new.parts)
        }
        yield SucceededCommune(unit.code, unit.full_name, into)


def _end(connection: Connection, old_units: Sequence[Unit], on: date) -> None:
    connection.execute(
        text(
            "UPDATE gis.admin_unit SET valid_to = :on WHERE level = 'commune'"
            " AND code = :code AND valid_to IS NULL"
        ),
        [{"on": on, "code": unit.code} for unit in old_units],
    )


_BEGIN = text("""
INSERT INTO gis.admin_unit (code, name, full_name, name_en, kind, level, valid_from, parent_code,
                            area_km2, source, quality)
VALUES (:code, :name, :full_name, :name_en, :kind, 'commune', :on, :parent, :area_km2, :source,
        'official')
""")


def _begin(connection: Connection, decree: Decree, parent: str | None) -> None:
    for new_unit in decree.new:
        full_name = nfc(new_unit.full_name)
        kind = next(kind for kind in _KINDS if full_name.startswith(kind))
        name = full_name.removeprefix(kind).strip()
        values = {
            "code": new_unit.code,
            "name": name,
            "full_name": full_name,
            "name_en": without_diacritics(name),
            "kind": kind,
            "on": decree.on,
            "parent": parent,
            "area_km2": new_unit.area_km2,
            "source": decree.source,
        }
        connection.execute(_BEGIN, values)


def _changes(decree: Decree) -> Iterator[UnitChange]:
    for new_unit in decree.new:
        for part in new_unit.parts:
            yield UnitChange(
                part.code,
                new_unit.code,
                decree.on,
                part.share_area,
                part.share_population,
                part.estimated,
            )


# The quality of a union is that of the worst polygon in it.
_UNION = text("""
UPDATE gis.admin_unit AS new SET geom = parts.geom, quality = parts.quality
FROM (SELECT ST_Multi(ST_Union(geom)) AS geom, min(quality) AS quality
      FROM gis.admin_unit WHERE level = 'commune' AND code = ANY(:old) AND valid_to = :on
      HAVING bool_and(geom IS NOT NULL)) AS parts
WHERE new.level = 'commune' AND new.code = :code AND new.valid_from = :on
""")


def _unite_polygons(connection: Connection, decree: Decree) -> list[str]:
    """Store the union of the old polygons for units merged whole; gives codes of the others."""
    without_polygon = []
    for new_unit in decree.new:
        is_merger = all(part.share_area == 1 for part in new_unit.parts)
        values = {
            "old": [part.code for part in new_unit.parts],
            "on": decree.on,
            "code": new_unit.code,
        }
        if not is_merger or connection.execute(_UNION, values).rowcount == 0:
            without_polygon.append(new_unit.code)
    return without_polygon
