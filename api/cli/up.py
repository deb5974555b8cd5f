"""gis up: set up what is missing, then serve and work, on one machine."""

import signal
import subprocess
import sys
import threading
from contextlib import suppress

from api.cli.context import read_layers, read_settings
from api.cli.output import say, step
from api.cli.serve import run_server, stop


def up() -> None:
    """Set up the database, boundaries, layers and demo where they are missing, then serve and work.

    Example: GIS_PORT=8080 gis up
    """
    from api.demo_sources.beside import beside_demo
    from api.logs import configure_logs
    from api.sockets import Listener
    from api.worker_supervisor import supervised
    from gis.database.connect import opened, retried

    settings = read_settings()
    read_layers(settings)  # a layer file at fault is told before any work
    configure_logs(settings)
    signal.signal(signal.SIGTERM, stop)
    with Listener.at(settings.host, settings.port) as listener, suppress(KeyboardInterrupt):
        step("database")
        with opened(settings) as database:
            # What setting up imports takes more memory than serving, so it is done elsewhere;
            # meanwhile this process imports what it serves with.
            if settings.workers == 1:
                threading.Thread(target=_import_service, daemon=True).start()
            with beside_demo(settings, database):
                _set_up()
                settings = read_settings()  # with the simulated systems, where the demo has them
                with retried(settings), supervised(database.url):
                    run_server(settings, database, listener)
    say("stopped")


def _import_service() -> None:
    import api.app  # noqa: F401


def _set_up() -> None:
    """Raises SystemExit with its code where it failed, which it has told by itself."""
    code = subprocess.run([sys.executable, "-m", "api.setup_process"], check=False).returncode
    if code != 0:
        raise SystemExit(code if code > 0 else 1)
