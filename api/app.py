"""The application: a table of contents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.body_limits import BodyLimits
from api.errors import add_error_handlers
from api.event_broker import EventBroker
from api.logs import RequestLog
from api.middleware import RequestContext
from api.ogc import mount_ogc
from api.origins import Origins
from api.reserve import Reserve
from api.routes import (
    alerts,
    archives,
    ask,
    calibration,
    cap,
    changes,
    events,
    handover,
    health,
    hexes,
    ingest,
    layers,
    map,
    places,
    quarantine,
    rasters,
    roster,
    status,
    styles,
    subscriptions,
    summary,
    tiles,
    tilesets,
    trace,
)
from api.shutdown import when_stopped
from api.tile_fast_path import TileFastPath
from api.tile_responses import TileResponder
from gis.database.async_reader import AsyncReader
from gis.database.engine import Database
from gis.jobs.periodic import repeating
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.definition.reload import LayerFiles
from tiles.disk import DiskCache
from tiles.outdated import delete_outdated
from tiles.serving import TileServer


def create_app(settings: Settings, database: Database, catalogue: Catalogue) -> FastAPI:
    """The service over a migrated database; whoever makes it also closes the database."""
    app = FastAPI(
        title="GIS", docs_url=None, redoc_url=None, openapi_url="/openapi.json", lifespan=_running
    )
    app.state.settings = settings
    app.state.database = database
    app.state.layer_files = LayerFiles(database, settings.layers, catalogue, *settings.more_layers)
    app.state.async_reader = AsyncReader(database)
    app.state.event_broker = EventBroker(database, settings.client_streams)
    app.state.health = Reserve(database, 2)
    app.state.tiles = TileServer(database, settings.k_anonymity, disk=_disk(settings))
    app.state.tile_responder = TileResponder(
        app.state.tiles, app.state.layer_files, app.state.async_reader
    )

    app.include_router(calibration.router)  # before the numbers of alerts under the same path
    for part in (health, status, layers, alerts, summary, places, quarantine, tiles, styles, hexes):
        app.include_router(part.router)
    app.include_router(changes.router)
    app.include_router(trace.router)
    app.include_router(ingest.router)
    app.include_router(events.router)
    app.include_router(cap.router)
    app.include_router(subscriptions.router)
    app.include_router(roster.router)
    app.include_router(handover.router)
    app.include_router(tilesets.router)
    app.include_router(archives.router)
    app.include_router(rasters.router)
    mount_ogc(app)
    app.include_router(ask.router)
    app.include_router(map.router)

    add_error_handlers(app)
    app.add_middleware(archives.Compression, minimum_size=1024, compresslevel=4)
    app.add_middleware(TileFastPath, tiles=app.state.tile_responder)
    app.add_middleware(BodyLimits, largest_mb=settings.body_mb)
    # Outside of what answers unknown exceptions, which `add_middleware` would place it inside of.
    app.middleware_stack = RequestContext(
        app.build_middleware_stack(),
        database,
        RequestLog(settings),
        Origins.of(settings),
        settings.shared_cache_s,
    )
    return app


def _disk(settings: Settings) -> DiskCache | None:
    most = settings.tiles_disk_mb * 2**20
    return DiskCache(settings.kept_tiles, most) if most else None


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """While it serves, it takes up layer files that are published meanwhile."""
    files: LayerFiles = app.state.layer_files
    settings: Settings = app.state.settings
    cleaned = files.catalogue

    def follow() -> None:
        nonlocal cleaned
        files.follow()
        if files.catalogue is not cleaned:
            cleaned = files.catalogue
            delete_outdated(app.state.database, settings.archives, settings.kept_tiles)

    with repeating("layer files", follow), when_stopped(app.state.event_broker.release_clients):
        try:
            yield
        finally:
            await app.state.async_reader.close()
