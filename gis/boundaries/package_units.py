"""The units of a province and their lineage, from the data files of `vietnamadminunits` (MIT).

Only its tables are read (names, codes, what became of each old ward): never its parser, never a
network; its coordinates only for labelled approximate shapes. The package knows the units before
and after the reform of 1 July 2025, not when the old ones began; former names stand in
`Unit.aliases`.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gis.boundaries.former_names import FORMER_NAMES
from gis.boundaries.units import Level, Unit, UnitChange, UnitHistory
from gis.errors import NotFound, SetupError
from gis.text import nfc, without_diacritics
from gis.values import BBox

REFORM = date(2025, 7, 1)
PACKAGE = "vietnamadminunits"

_Row = Mapping[str, Any]


def package_history(province_code: str = "15") -> UnitHistory:
    """The province of today with `province_code` (two digits), its former units, and lineage.

    An old ward that was split has one `UnitChange` for each part, with estimated shares: the
    package names the main part, which counts twice. Island districts that had no wards have none.
    Raises `NotFound` for a code that is none of the 34 of today, `SetupError` without the package.
    """
    new_rows = _rows(
        "SELECT * FROM admin_units WHERE provinceCode = ? ORDER BY wardCode", province_code
    )
    if not new_rows:
        raise NotFound(
            f"no province of today has code {province_code!r}: give one of "
            + ", ".join(province_codes())
        )
    old_rows = [row for key in _old_provinces(new_rows[0]["provinceKey"]) for row in _old_rows(key)]
    units = (*_old_units(old_rows), *_new_units(new_rows))
    return UnitHistory(units, tuple(_changes(new_rows, old_rows)))


@dataclass(frozen=True, slots=True)
class WardPlace:
    """Approximate place of an old ward (degrees, WGS 84), and its commune of today."""

    commune: str
    lon: float
    lat: float
    box: BBox


def ward_places(province_code: str) -> list[WardPlace]:
    """The old wards of a province of today for which the package has a place and a box."""
    into = {change.old: change.new for change in package_history(province_code).changes}
    (province,) = _rows(
        "SELECT provinceKey FROM admin_units WHERE provinceCode = ? LIMIT 1", province_code
    )
    rows = [row for key in _old_provinces(province["provinceKey"]) for row in _old_rows(key)]
    return [
        WardPlace(into[row["wardCode"]], row["wardLon"], row["wardLat"], _box(row["wardBounds"]))
        for row in rows
        if row["wardCode"] in into and row["wardLat"] and row["wardBounds"]
    ]


def _box(bounds: str) -> BBox:
    """The box of a text such as `south,west – north,east`."""
    south_west, north_east = bounds.split(" – ")
    south, west = map(float, south_west.split(","))
    north, east = map(float, north_east.split(","))
    return BBox(west, south, east, north)


def province_codes() -> tuple[str, ...]:
    """The codes of the 34 provinces of today."""
    rows = _rows("SELECT DISTINCT provinceCode FROM admin_units ORDER BY provinceCode")
    return tuple(row["provinceCode"] for row in rows)


def province_names() -> tuple[str, ...]:
    """The names, without type, of all provinces of today and of before the reform."""
    rows = _rows(
        "SELECT provinceShort FROM admin_units UNION SELECT provinceShort FROM admin_units_legacy"
    )
    return tuple(row["provinceShort"] for row in rows)


def district_names() -> tuple[str, ...]:
    """The names, without type, of all districts of the country before the reform."""
    rows = _rows("SELECT DISTINCT districtShort FROM admin_units_legacy ORDER BY districtShort")
    return tuple(nfc(row["districtShort"]) for row in rows)


def _old_rows(province_key: str) -> list[_Row]:
    return _rows(
        "SELECT * FROM admin_units_legacy WHERE provinceKey = ? ORDER BY districtCode, wardCode",
        province_key,
    )


def _old_units(rows: list[_Row]) -> Iterator[Unit]:
    yield from dict.fromkeys(_unit(row, "province", None, None, REFORM) for row in rows)
    yield from dict.fromkeys(
        _unit(row, "district", row["provinceCode"], None, REFORM) for row in rows
    )
    for row in rows:
        if row["ward"]:
            yield _unit(row, "ward", row["districtCode"], None, REFORM)


def _new_units(rows: list[_Row]) -> Iterator[Unit]:
    yield _unit(rows[0], "province", None, REFORM, None)
    for row in rows:
        yield _unit(row, "ward", row["provinceCode"], REFORM, None)


_LEVELS = {"province": Level.PROVINCE, "district": Level.DISTRICT, "ward": Level.COMMUNE}
_KINDS = ("Tỉnh", "Thành phố", "Quận", "Huyện", "Thị xã", "Phường", "Xã", "Thị trấn", "Đặc khu")


def _unit(
    row: _Row, column: str, parent: str | None, since: date | None, until: date | None
) -> Unit:
    kind, name = _kind_and_name(row[column])
    ward_of_today = column == "ward" and until is None
    return Unit(
        code=row[f"{column}Code"],
        name=name,
        full_name=f"{kind} {name}",
        kind=kind,
        level=_LEVELS[column],
        valid_from=since,
        valid_to=until,
        parent=parent,
        name_en=without_diacritics(name),
        aliases=_aliases(row, column),
        area_km2=row["wardAreaKm2"] if ward_of_today else None,
    )


def _kind_and_name(full_name: str) -> tuple[str, str]:
    """`Thị Xã Mường Lay` → `Thị xã`, `Mường Lay`: the package is not sure of capitals."""
    text = nfc(full_name)
    kind = next(kind for kind in _KINDS if text.casefold().startswith(f"{kind} ".casefold()))
    return kind, text[len(kind) + 1 :]


def _aliases(row: _Row, column: str) -> tuple[str, ...]:
    """Other names of a unit, spelt out where we know how, else as the package has them.

    A name with its type ("xalongphuc") makes the same name without it superfluous.
    """
    current = {row[f"{column}Key"], row[f"{column}ShortKey"]}
    keys = [key for key in json.loads(row[f"{column}Keywords"] or "[]") if key.isascii()]
    aliases = sorted(key for key in keys if key not in current)
    longest = [key for key in aliases if not _ends_another(key, aliases)]
    former_names = FORMER_NAMES.get(row[f"{column}Code"], {}) if column == "ward" else {}
    return tuple(dict.fromkeys(former_names.get(key, key) for key in longest))


def _ends_another(key: str, keys: list[str]) -> bool:
    return any(key != other and other.endswith(key) for other in keys)


def _changes(new_rows: list[_Row], old_rows: list[_Row]) -> Iterator[UnitChange]:
    code_of = {row["wardKey"]: row["wardCode"] for row in new_rows}
    old_code = {_lineage_key(row): row["wardCode"] for row in old_rows if row["ward"]}
    lineage = _lineage()
    province = new_rows[0]["provinceKey"]
    mergers = lineage["DICT_PROVINCE_WARD_NO_DIVIDED"].get(province, {})
    for new_key, old_keys in mergers.items():
        for key in old_keys:
            if key in old_code:
                yield UnitChange(old_code[key], code_of[new_key], REFORM)
    for key, parts in lineage["DICT_PROVINCE_WARD_DIVIDED"].get(province, {}).items():
        if key in old_code:
            yield from _split(old_code[key], parts, code_of)


def _split(old_code: str, parts: list[_Row], code_of: Mapping[str, str]) -> Iterator[UnitChange]:
    weights = [2 if part["isDefaultNewWard"] else 1 for part in parts]
    for part, weight in zip(parts, weights, strict=True):
        share = weight / sum(weights)
        new_code = code_of[part["newWardKey"]]
        yield UnitChange(old_code, new_code, REFORM, share, share, estimated=True)


def _lineage_key(row: _Row) -> str:
    return f"{row['provinceKey']}_{row['districtKey']}_{row['wardKey']}"


def _old_provinces(new_key: str) -> list[str]:
    keys: list[str] = _lineage()["DICT_PROVINCE"][new_key]
    return keys


def _rows(query: str, *parameters: str) -> list[_Row]:
    address = f"file:{_data_folder() / 'dataset.db'}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, parameters)]


@cache
def _lineage() -> dict[str, Any]:
    text = (_data_folder() / "converter_2025.json").read_text(encoding="utf-8")
    tables: dict[str, Any] = json.loads(text)
    return tables


def _data_folder() -> Path:
    # find_spec does not run the package: importing it would load 12 MB and an online geocoder.
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SetupError(f"the package {PACKAGE} is missing: install the requirements again")
    return Path(spec.submodule_search_locations[0]) / "data"
