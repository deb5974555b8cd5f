"""gis up: set up what is missing, then serve."""

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from api.cli.context import read_layers, read_settings
from api.cli.output import progress, say, step

if TYPE_CHECKING:
    from api.sockets import Listener
    from gis.database.engine import Database
    from gis.settings import Settings
    from layers.definition.catalogue import Catalogue

_ALARM_CONNECTIONS = 12
_SENDER_CONNECTIONS = 6


def up() -> None:
    """Set up the database, boundaries, layers and demo where they are missing, then serve.

    Example: GIS_PORT=8080 gis up
    """
    from api.logs import configure_logs
    from api.setup import prepare
    from api.sockets import Listener
    from gis.database.connect import opened

    settings = read_settings()
    catalogue = read_layers(settings)
    configure_logs(settings)
    signal.signal(signal.SIGTERM, _stop)
    with Listener.at(settings.host, settings.port) as listener, suppress(KeyboardInterrupt):
        step("database")
        with opened(settings) as database:
            prepare(database, settings, catalogue, step, progress)
            _serve(settings, database, catalogue, listener)
    say("stopped")


def _serve(
    settings: "Settings", database: "Database", catalogue: "Catalogue", listener: "Listener"
) -> None:
    import uvicorn

    from api.app import create_app
    from api.connections import patience_of
    from api.sockets import serving
    from gis.database.connect import retried
    from gis.notify.dispatch import sender_of
    from gis.notify.senders import delivering
    from layers.jobs.detection import watching

    everywhere = ("127.0.0.1", "0.0.0.0", "::1", "::")
    host = "localhost" if settings.host in everywhere else settings.host
    # Connections of their own, so that alarms and their delivery never wait for clients.
    alarms, deliveries = database.apart(_ALARM_CONNECTIONS), database.apart(_SENDER_CONNECTIONS)
    with (
        retried(settings),
        watching(alarms, settings.layers, catalogue, settings.runs_kept_days),
        delivering(deliveries, sender_of(settings), settings.cap_sender),
    ):
        step(f"serving http://{host}:{settings.port} (Ctrl-C stops)")
        if settings.workers == 1:
            app = create_app(settings, database, catalogue)
            uvicorn.Server(serving(app, patience_of(settings))).run(sockets=[listener])
        else:
            _serve_many(settings, database, listener)


def _serve_many(settings: "Settings", database: "Database", listener: "Listener") -> None:
    """Serve in several processes, which read the database's URL from the environment."""
    from api.connections import patience_of
    from api.sockets import serve_many

    os.environ["GIS_DATABASE_URL"] = database.url
    serve_many("api.worker:create", settings.workers, listener, patience_of(settings))


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """End on SIGTERM as on Ctrl-C, so that all that was started is stopped."""
    raise KeyboardInterrupt
