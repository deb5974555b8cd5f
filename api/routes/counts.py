"""Counts of a layer's records by unit, of today or of before the reform."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection, func, select

from api.dependencies import Caller, Reader, UsedCatalogue
from api.ogc.negotiation import only_known
from api.ogc.parameters import query_of
from gis.boundaries.lineage import Key, UnitCount, counts_by_commune, counts_by_old_district
from gis.boundaries.package_units import REFORM
from gis.boundaries.units import Level, UnitHistory
from gis.clock import today
from gis.errors import BadInput
from gis.placing.reference import stored_territory
from layers.definition.model import Layer
from layers.items import ItemSource, source_of
from layers.items import Query as ItemQuery
from layers.items.unit_parts import (
    UnitParts,
    count_shapes,
    parts_by_commune,
    parts_by_old_district,
)
from layers.items.value_errors import computed
from layers.storage.tables import has_unit_shares, size_measure, table_of

router = APIRouter(tags=["counts"])

By = Annotated[
    Literal["commune", "district"],
    Query(description="commune: of today; district: of before 1 July 2025"),
]
_FILTERS = ("datetime", "bbox", "bbox-crs", "filter", "filter-lang", "filter-crs")


@router.get("/counts/{layer_id}")
def counts(
    layer_id: str,
    request: Request,
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    by: By = "commune",
) -> dict[str, Any]:
    """Records by unit; `filter`, `datetime` and `bbox` mean what they do on items.

    `counted: records`: each record counts once, in its unit; both ways of counting have the same
    total. `counted: parts`, of lines and areas: each counts in every unit that holds a part of it,
    so that the counts may add up to more than `total`; `share` is the sum of these parts, of 1
    for a whole one, `length_km` or `covered_km2` what lies in the unit. `estimated` says that some
    were shared among several units.
    """
    layer = catalogue.get_readable(layer_id, caller)
    if layer.is_view or not layer.placed:
        raise BadInput(f"the records of {layer_id} are not placed in units")
    source = source_of(layer)
    only_known(request, ("by", *_FILTERS, *source.by_name))
    query = query_of(dict(request.query_params), source)
    history = stored_territory(connection).history
    last_day = REFORM - timedelta(days=1)
    answer: dict[str, Any] = {"layer": layer_id, "by": by}
    if has_unit_shares(layer):
        total = count_shapes(connection, source, query)
        parts = (
            parts_by_commune(connection, source, query)
            if by == "commune"
            else parts_by_old_district(connection, source, query, history, last_day)
        )
        return answer | {
            "counted": "parts", "total": total, "units": _parts_as_json(layer, parts, history, by)
        }  # fmt: skip
    by_key = _by_key(connection, source, query)
    units = (
        counts_by_commune(history, by_key, today())
        if by == "commune"
        else counts_by_old_district(history, by_key, last_day)
    )
    total = sum(by_key.values())
    return answer | {"counted": "records", "total": total, "units": _as_json(units)}


def _by_key(connection: Connection, source: ItemSource, query: ItemQuery) -> dict[Key, int]:
    columns = table_of(source.layer).c
    day = func.timezone("Asia/Ho_Chi_Minh", columns.valid_at)
    is_old = func.coalesce(day < _start(REFORM), False)
    keys = (columns.unit_then, columns.commune, is_old)
    statement = select(*keys, func.count()).where(*query.conditions(source)).group_by(*keys)
    with computed():
        rows = connection.execute(statement).all()
    return {Key(then, commune, old): count for then, commune, old, count in rows}


def _parts_as_json(
    layer: Layer, parts: list[UnitParts], history: UnitHistory, by: str
) -> list[dict[str, Any]]:
    measure = size_measure(layer)
    assert measure is not None
    level, day = (
        (Level.COMMUNE, today())
        if by == "commune"
        else (Level.DISTRICT, REFORM - timedelta(days=1))
    )
    names = {unit.code: unit.full_name for unit in history.on(day, level)}
    return [
        {
            "code": part.code,
            "name": names.get(part.code or ""),
            "count": part.count,
            "share": round(part.share, 3),
            measure.name: round(part.size, 3),
            "estimated": part.estimated,
        }
        for part in parts
    ]


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _as_json(counts: list[UnitCount]) -> list[dict[str, Any]]:
    return [
        {
            "code": count.unit.code if count.unit else None,
            "name": count.unit.full_name if count.unit else None,
            "count": round(count.count, 3),
            "estimated": count.estimated,
        }
        for count in counts
    ]
