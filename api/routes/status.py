"""Status of the map: layers and versions, simulated data, the boundaries."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, text

from api.conditional import conditional_json
from api.dependencies import Caller, DeclaredParameters, Reader, UsedCatalogue, UsedSettings
from gis.settings import Settings
from layers.definition.model import Layer
from tiles.hexes import with_hexes

router = APIRouter(tags=["status"], dependencies=[DeclaredParameters])


@router.get("/status")
def status(
    request: Request,
    connection: Reader,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
) -> Response:
    """Versions of the layers that the caller may read; cheap, made to be polled with its ETag."""
    readable, counted = catalogue.readable(caller), with_hexes(caller, catalogue.layers)
    return conditional_json(request, facts(connection, settings, readable, counted))


def facts(
    connection: Connection,
    settings: Settings,
    layers: Sequence[Layer],
    counted: Sequence[Layer] = (),
) -> dict[str, Any]:
    """Status of a map of some layers, and of the counts by hex of others."""
    shown = {layer.id for layer in (*layers, *counted)}
    versions = {row.id: row.version for row in connection.execute(_VERSIONS)}
    described = [
        {"id": layer.id, "version": versions[layer.id], "title": layer.title.model_dump()}
        for layer in layers
        if layer.id in versions
    ]
    return {
        "province": _province(connection, settings.province),
        "simulated": bool(connection.scalar(_SIMULATED, {"layers": list(shown)})),
        "boundaries": _boundaries(connection),
        "extent": _extent(connection, settings, versions.get("communes", 0)),
        "layers": described,
    }


_VERSIONS = text("SELECT id, version FROM gis.layer WHERE published")
_SIMULATED = text(
    "SELECT EXISTS (SELECT FROM gis.load WHERE simulated AND layer_id = ANY(:layers))"
)
_EXTENT = text(
    "SELECT ST_XMin(box), ST_YMin(box), ST_XMax(box), ST_YMax(box)"
    " FROM (SELECT ST_Extent(geom) AS box FROM layer.communes) AS extent WHERE box IS NOT NULL"
)


_PROVINCE = text(
    "SELECT full_name AS vi, name_en AS en FROM gis.admin_unit"
    " WHERE level = 'province' AND code = :code AND valid_to IS NULL"
)


def _province(connection: Connection, code: str) -> dict[str, str] | None:
    """Its name of today, by language."""
    row = connection.execute(_PROVINCE, {"code": code}).one_or_none()
    return None if row is None else {"vi": row.vi, "en": row.en or row.vi}


def _boundaries(connection: Connection) -> dict[str, str] | None:
    row = connection.execute(text("SELECT quality, source FROM gis.boundary_state")).one_or_none()
    return None if row is None else dict(row._mapping)


def _extent(connection: Connection, settings: Settings, version: int) -> list[float]:
    """West, south, east, north of the communes; read anew only when they changed."""
    key = (str(connection.engine.url), version)
    if key not in _extents:
        row = connection.execute(_EXTENT).one_or_none()
        _extents.clear()
        _extents[key] = list(row) if row is not None else settings.extent.as_list()
    return _extents[key]


_extents: dict[tuple[str, int], list[float]] = {}
