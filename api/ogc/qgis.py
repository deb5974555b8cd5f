"""Routes of QGIS: the project with all layers that the caller may read, and one layer each."""

import pyproj
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, text

from api.dependencies import Caller, Reader, UsedLayers, UsedSettings
from api.ogc.negotiation import negotiate
from api.ogc.pygeoapi_core import TITLE
from api.ogc.qgis_document import Extent, ProjectView, layer_definition, project
from api.ogc.service import collection_of
from gis.settings import Settings
from gis.values import BBox
from layers.items.crs import EPSG_9208

router = APIRouter(prefix="/qgis", tags=["qgis"])

_EXTENT = text(
    "SELECT ST_XMin(box), ST_YMin(box), ST_XMax(box), ST_YMax(box)"
    " FROM (SELECT ST_Extent(geom) AS box FROM layer.communes) AS extent WHERE box IS NOT NULL"
)


@router.get("/project.qgz")
def qgis_project(
    request: Request,
    connection: Reader,
    layers: UsedLayers,
    settings: UsedSettings,
    caller: Caller,
) -> Response:
    """A QGIS project: layers by department, styled as on the map, in the province's CRS."""
    shown = [each for each in layers.catalogue.readable(caller) if each.id in layers.states]
    frame = ProjectView(
        root_url=negotiate(request).root,
        extent=_extent(connection, settings),
        title=TITLE["vi"],
        min_count=settings.k_anonymity,
    )
    packed = project(shown, frame)
    headers = {"Content-Disposition": 'attachment; filename="project.qgz"'}
    return Response(packed, headers=headers, media_type="application/x-qgis-project")


@router.get("/{layer_id}.qlr")
def qgis_layer(layer_id: str, request: Request, caller: Caller) -> Response:
    """One layer as a QGIS layer definition."""
    collection = collection_of(request, layer_id, caller)
    document = layer_definition(collection.layer, negotiate(request).base)
    headers = {"Content-Disposition": f'attachment; filename="{layer_id}.qlr"'}
    return Response(document, headers=headers, media_type="application/x-qgis-layer-definition")


def _extent(connection: Connection, settings: Settings) -> Extent:
    """Extent of the province in the project's CRS, of densified edges."""
    row = connection.execute(_EXTENT).one_or_none()
    box = settings.extent if row is None else BBox(*row)
    to_project = pyproj.Transformer.from_crs("OGC:CRS84", f"EPSG:{EPSG_9208.srid}", always_xy=True)
    west, south, east, north = to_project.transform_bounds(
        box.west, box.south, box.east, box.north, densify_pts=21
    )
    return west, south, east, north
