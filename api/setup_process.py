"""`python -m api.setup_process`: the setting up of `gis up`, in a process that ends."""

import os
import sys

from api.cli.context import read_layers, read_settings
from api.cli.output import complain, progress, step
from api.logs import configure_logs
from api.setup import prepare
from gis.database.connect import opened
from gis.errors import GisError
from gis.jobs.parent import die_with


def set_up() -> None:
    settings = read_settings()
    catalogue = read_layers(settings)
    configure_logs(settings)
    with opened(settings) as database:
        prepare(database, settings, catalogue, step, progress)


if __name__ == "__main__":
    die_with(os.getppid())
    try:
        set_up()
    except GisError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
