"""Description of one point: its hex, its commune, the old units there, the neighbours."""

from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection

from gis.boundaries.units import Level, Unit
from gis.placing.cells import h3_cells
from gis.placing.reference import stored_territory


def describe_point(connection: Connection, lon: float, lat: float, today: date) -> dict[str, Any]:
    """Describe a point (degrees, WGS 84) by its cell (15 hexadecimal digits) and units.

    With the commune of today (None when the point lies outside), the old units that the commune
    was made of, and the communes around it. Raises BadInput when no boundaries are loaded.
    """
    territory = stored_territory(connection)
    x, y = np.array([lon]), np.array([lat])
    index = int(territory.table.assign(x, y)[0])
    answer = {"cell": f"{int(h3_cells(x, y)[0]):x}", "quality": territory.quality.value}
    if index < 0:
        return answer | {"commune": None, "old_units": [], "neighbours": []}
    code = territory.table.codes[index]
    history = territory.history
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


def _as_json(unit: Unit) -> dict[str, Any]:
    return {
        "code": unit.code,
        "name": unit.full_name,
        "valid_from": unit.valid_from.isoformat() if unit.valid_from else None,
        "valid_to": unit.valid_to.isoformat() if unit.valid_to else None,
    }
