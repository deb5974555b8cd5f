"""gis up: set up what is missing, then serve."""

import errno
import os
import signal
import socket
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from api.cli.context import read_layers, read_settings
from api.cli.output import progress, say, step
from api.logs import configure_logs
from api.setup import prepare
from gis.database.engine import Database
from gis.database.opening import opened
from gis.delivery.sending import sender_of
from gis.delivery.working import delivering
from gis.errors import Unavailable
from gis.settings import Settings
from layers.catalogue import Catalogue
from layers.watch import watching


def up() -> None:
    """Set up the database, boundaries, layers and demo where they are missing, then serve.

    Example: GIS_PORT=8080 gis up
    """
    settings = read_settings()
    catalogue = read_layers(settings)
    configure_logs(settings)
    signal.signal(signal.SIGTERM, _stop)
    with _reserved(settings) as listener, suppress(KeyboardInterrupt):
        step("database")
        with opened(settings) as database:
            prepare(database, settings, catalogue, step, progress)
            _serve(settings, database, catalogue, listener)
    say("stopped")


def _reserved(settings: Settings) -> socket.socket:
    """The listening socket, taken before any work, so that a port in use is told at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Unavailable(_cannot_listen(settings, error)) from error
    return listener


def _cannot_listen(settings: Settings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {settings.port} is in use: stop the other program, or choose another port, "
            f"for example GIS_PORT={settings.port + 1}"
        )
    return f"cannot listen on {settings.host}:{settings.port}: {os.strerror(error.errno or 0)}"


def _serve(
    settings: Settings, database: Database, catalogue: Catalogue, listener: socket.socket
) -> None:
    from api.app import create_app  # here, since it loads all that the other commands need not

    everywhere = ("127.0.0.1", "0.0.0.0", "::1", "::")
    host = "localhost" if settings.host in everywhere else settings.host
    with (
        watching(database, settings.layers, catalogue, settings.runs_kept_days),
        delivering(database, sender_of(settings), settings.cap_sender),
    ):
        step(f"serving http://{host}:{settings.port} (Ctrl-C stops)")
        if settings.workers == 1:
            _serve_here(create_app(settings, database, catalogue), listener)
        else:
            _serve_many(settings, database, listener)


def _serve_here(app: FastAPI, listener: socket.socket) -> None:
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listener])


def _serve_many(settings: Settings, database: Database, listener: socket.socket) -> None:
    """Processes of their own, which learn from the environment which database is in use."""
    os.environ["GIS_DATABASE_URL"] = database.url
    config = uvicorn.Config(
        "api.worker:create",
        factory=True,
        workers=settings.workers,
        log_config=None,
        timeout_graceful_shutdown=5,
        timeout_worker_healthcheck=60,  # a busy machine needs longer than 5 s to import the service
    )
    Multiprocess(config, sockets=[listener]).run()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM ends like Ctrl-C, so that what was started is stopped."""
    raise KeyboardInterrupt
