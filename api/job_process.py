"""`python -m api.job_process LANE`: the process in which jobs of a lane run; a worker starts it."""

import sys
from multiprocessing.connection import Connection

from api.cli.context import read_layers, read_settings
from api.logs import configure_logs
from gis.jobs.child import serve_jobs
from gis.notify.channels.mail import MailChannel
from layers.definition.reload import LayerFiles
from layers.jobs.kinds import PROMPT, job_kinds
from layers.jobs.sources import surroundings_of

if __name__ == "__main__":
    if sys.argv[1] == PROMPT:  # what alarms need, so that the first one does not wait for it
        import gis.analysis.cleaning
        import gis.analysis.newest
        import gis.analysis.scan  # noqa: F401
    settings = read_settings()
    configure_logs(settings)
    catalogue = read_layers(settings)
    serve_jobs(
        Connection(int(sys.argv[2])),
        int(sys.argv[3]),
        lambda database: job_kinds(
            database,
            LayerFiles(database, settings.layers, catalogue, *settings.more_layers),
            surroundings_of(settings),
            MailChannel.from_settings(settings),
            quiet_letters=settings.quiet_letters,
            rasters=settings.rasters,
        ),
    )
