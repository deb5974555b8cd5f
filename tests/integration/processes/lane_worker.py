"""A worker of the lane of processes, started with a folder and the URL of a database.

Its process of jobs dies as tests.integration.jobs.killing says.
"""

import sys
import threading
import time

from gis.database.engine import Database
from gis.jobs.process import JobProcess
from gis.jobs.session import WorkerSession
from gis.jobs.worker import Worker
from layers.definition.catalogue import read_catalogue
from layers.definition.reload import LayerFiles
from layers.jobs.kinds import job_kinds
from layers.processes.runs import PROCESS
from tests.conftest import LAYERS
from tests.integration.jobs.killing import PROGRAM


def main(folder: str, url: str) -> None:
    database = Database(url)
    session, stopped = WorkerSession(database, leads=False), threading.Event()
    kinds = job_kinds(database, LayerFiles(database, LAYERS, read_catalogue(LAYERS)))
    worker = Worker(database, session, kinds, stopped)
    process = JobProcess([*PROGRAM, folder, "job"], url, stopped, None)
    while True:
        worker.sweep()
        worker.work_off([PROCESS], process)
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
