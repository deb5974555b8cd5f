"""The OGC part of the application over a test database, on a port of this machine."""

import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Literal

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from api import sockets
from api.connections import Patience
from api.errors import add_error_handlers
from api.logs import RequestLog
from api.middleware import RequestContext
from api.ogc import mount_ogc
from api.routes import tilesets
from api.tile_responses import TileResponder
from gis.database.async_reader import AsyncReader
from gis.database.engine import Database
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.definition.reload import LayerFiles
from tiles.serving import TileServer


def ogc_app(database: Database, layers: Sequence[Layer]) -> FastAPI:
    reader = AsyncReader(database)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await reader.close()

    app = FastAPI(lifespan=lifespan)
    app.state.settings = Settings(_env_file=None)
    app.state.database = database
    app.state.layer_files = LayerFiles(
        database, app.state.settings.layers, Catalogue(tuple(layers))
    )
    app.state.tiles = TileServer(database, app.state.settings.k_anonymity)
    app.state.tile_responder = TileResponder(app.state.tiles, app.state.layer_files, reader)
    app.include_router(tilesets.router)
    mount_ogc(app)
    add_error_handlers(app)
    app.add_middleware(RequestContext, database=database, log=RequestLog(app.state.settings))
    return app


class Client(httpx.Client):
    """A client of a served application; `app` is that application."""

    app: FastAPI


@contextlib.contextmanager
def client_of(database: Database, layers: Sequence[Layer]) -> Iterator[Client]:
    app = ogc_app(database, layers)
    with serving(app) as url, Client(base_url=url, timeout=60, verify=False) as client:
        client.app = app
        yield client


@contextlib.contextmanager
def app_client(app: ASGIApp, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Client]:
    """A client of an application that is served meanwhile."""
    # Certificates take longer to read than most answers; none is needed here.
    with (
        serving(app) as url,
        httpx.Client(base_url=url, headers=headers, timeout=60, verify=False) as client,
    ):
        yield client


@contextlib.contextmanager
def serving(
    app: ASGIApp,
    patience: Patience = Patience(),
    http: Literal["auto", "h11", "httptools"] = "auto",
) -> Iterator[str]:
    """The URL of the application on a free port of this machine; it ends with the block."""
    socket_ = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = sockets.serving(app, patience)
    if http != "auto":
        config.http = http
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket_]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{socket_.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        socket_.close()
