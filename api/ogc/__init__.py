"""The OGC API under /ogc: pygeoapi is the frame, items and schemas are our own."""

from fastapi import FastAPI

from api.ogc import (
    coverages,
    dggs,
    documents,
    items,
    measurements,
    processes,
    qgis,
    records,
    writes,
)
from api.ogc.exports import Exports
from api.ogc.service import OgcService
from api.routes.rasters import RasterService


def mount_ogc(app: FastAPI) -> None:
    """Mount /ogc, /records, /coverages and /qgis; the catalogue is read at each request."""
    app.state.ogc = OgcService()
    app.state.exports = Exports(app.state.database, app.state.settings)
    app.state.rasters = RasterService(app.state.database, app.state.settings)
    app.include_router(dggs.router)
    app.include_router(documents.router)
    app.include_router(items.router)
    app.include_router(measurements.router)
    app.include_router(writes.router)
    app.include_router(processes.router)
    app.include_router(qgis.router)
    app.include_router(records.router)
    app.include_router(coverages.router)
