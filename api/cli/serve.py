"""gis serve: answer requests, over a database that is set up."""

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from api.cli.context import database_in_use, read_layers, read_settings
from api.cli.output import say, step

if TYPE_CHECKING:
    from api.sockets import Listener
    from gis.database.engine import Database
    from gis.settings import Settings


def serve() -> None:
    """Answer requests; jobs, alarms and their delivery need a `gis work` beside it.

    Example: GIS_PORT=8080 gis serve
    """
    from api.logs import configure_logs
    from api.sockets import Listener
    from gis.database.connect import retried

    settings = read_settings()
    configure_logs(settings)
    signal.signal(signal.SIGTERM, stop)
    with (
        Listener.at(settings.host, settings.port) as listener,
        suppress(KeyboardInterrupt),
        database_in_use() as database,
        retried(settings),
    ):
        run_server(settings, database, listener)
    say("stopped")


def run_server(settings: "Settings", database: "Database", listener: "Listener") -> None:
    """Serve until told to stop, in one process or in several."""
    import uvicorn

    from api.connections import patience_of
    from api.sockets import serve_many, serving

    everywhere = ("127.0.0.1", "0.0.0.0", "::1", "::")
    host = "localhost" if settings.host in everywhere else settings.host
    step(f"serving http://{host}:{settings.port} (Ctrl-C stops)")
    if settings.workers == 1:
        from api.app import create_app  # several processes have it each for itself

        app = create_app(settings, database, read_layers(settings))
        uvicorn.Server(serving(app, patience_of(settings))).run(sockets=[listener])
        return
    # The others read the database's URL from the environment.
    os.environ["GIS_DATABASE_URL"] = database.url
    serve_many("api.worker:create", settings.workers, listener, patience_of(settings))


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """End on SIGTERM as on Ctrl-C, so that all that was started is stopped."""
    raise KeyboardInterrupt
