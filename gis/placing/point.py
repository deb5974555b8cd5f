"""Description of one point: its hex, its commune, the old units there, the neighbours."""

from datetime import date, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection

from gis.boundaries.lineage import predecessors
from gis.boundaries.units import Level, Unit, UnitHistory
from gis.placing.cells import h3_cells
from gis.placing.reference import Territory, stored_territory


def describe_point(
    connection: Connection, lon: float, lat: float, today: date, day: date | None = None
) -> dict[str, Any]:
    """Describe a point (degrees, WGS 84) by its cell (15 hexadecimal digits) and units.

    With the commune of today (None when the point lies outside), the old units that the commune
    was made of, and the communes around it; with a day, `unit_then` too: the units that may have
    held the point on that day, one where polygons or lineage leave no doubt. Raises BadInput when
    no boundaries are loaded.
    """
    territory = stored_territory(connection)
    x, y = np.array([lon]), np.array([lat])
    index = int(territory.table.assign(x, y)[0])
    cell = f"{int(h3_cells(x, y)[0]):x}"
    answer: dict[str, Any] = {"cell": cell, "quality": territory.quality.value}
    history = territory.history
    code = territory.table.codes[index] if index >= 0 else None
    if day is not None:
        then = _units_on(day, lon, lat, code, territory)
        answer["unit_then"] = {
            "day": day.isoformat(),
            "units": [_with_district(u, history) for u in then],
        }
    if code is None:
        return answer | {"commune": None, "old_units": [], "neighbours": []}
    commune = history.unit(code, Level.COMMUNE, today)
    old_codes = {change.old for change in history.changes if change.new == code}
    old_units = [
        unit
        for unit in history.units
        if unit.level is Level.COMMUNE and unit.code in old_codes and unit.valid_to is not None
    ]
    neighbours = [
        {"code": near, "name": unit.full_name if unit else None}
        for near in territory.table.neighbours(index)
        for unit in (history.unit(near, Level.COMMUNE, today),)
    ]
    return answer | {
        "commune": _as_json(commune) if commune else {"code": code},
        "old_units": [_as_json(unit) for unit in sorted(old_units, key=lambda unit: unit.code)],
        "neighbours": neighbours,
    }


def _units_on(
    day: date, lon: float, lat: float, commune: str | None, territory: Territory
) -> list[Unit]:
    """The communes or wards that may have held a point on a day."""
    history = territory.history
    ends = [end for end in sorted(territory.former) if day < end]
    if ends:
        table = territory.former[ends[0]]
        index = int(table.assign(np.array([lon]), np.array([lat]))[0])
        unit = history.unit(table.codes[index], Level.COMMUNE, day) if index >= 0 else None
        if unit is not None:
            return [unit]
    codes = predecessors(history, commune, day)
    units = (history.unit(code, Level.COMMUNE, day) for code in codes)
    return [unit for unit in units if unit is not None]


def _with_district(unit: Unit, history: UnitHistory) -> dict[str, Any]:
    """A unit with the district that it was part of, where there were districts."""
    day = unit.valid_to - timedelta(days=1) if unit.valid_to else None
    above = unit.parent and day and history.unit(unit.parent, Level.DISTRICT, day)
    district = {"code": above.code, "name": above.full_name} if above else None
    return _as_json(unit) | {"district": district}


def _as_json(unit: Unit) -> dict[str, Any]:
    return {
        "code": unit.code,
        "name": unit.full_name,
        "valid_from": unit.valid_from.isoformat() if unit.valid_from else None,
        "valid_to": unit.valid_to.isoformat() if unit.valid_to else None,
    }
