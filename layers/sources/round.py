"""Round of all sources that are due: some are read at a time, one is stored at a time.

Waiting for other systems takes threads and no processor; storing takes the processor, and memory,
so that it is done one batch after the other. A round goes on as long as sources fall due, up to a
bound, so that a slow source keeps no other waiting.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import structlog

from gis.connectors.connector import Surroundings
from gis.database.engine import Database
from gis.errors import GisError
from layers.definition.catalogue import Catalogue
from layers.definition.model import FeedSource
from layers.sources.run import SourceReport, run_source
from layers.sources.state import due_sources

log = structlog.get_logger("sources")

READERS = 8
LONGEST_S = 600.0  # of a round; its runs end some minutes later at most
_LOOK_EVERY_S = 0.5


def run_due(
    database: Database,
    catalogue: Callable[[], Catalogue],
    surroundings: Surroundings,
    *,
    longest_s: float = LONGEST_S,
    readers: int = READERS,
) -> list[SourceReport]:
    """Run the sources that are due until none is, or the round is long; gives what each did.

    `catalogue` gives the layers in force.
    """
    storing, until = threading.Lock(), time.monotonic() + longest_s
    running: dict[Future[SourceReport], str] = {}
    reports: list[SourceReport] = []
    with ThreadPoolExecutor(readers, "source") as pool:
        while True:
            layers = {each.id: each for each in catalogue().layers}
            with database.reading() as connection:
                due = due_sources(connection)
            waiting = [each for each in due if each in layers and each not in running.values()]
            if time.monotonic() < until:
                for layer_id in waiting[: readers - len(running)]:
                    layer = layers[layer_id]
                    if isinstance(layer.source, FeedSource):
                        run = pool.submit(
                            run_source, database, layer, surroundings, storing=storing
                        )
                        running[run] = layer_id
            if not running:
                return reports
            done, _ = wait(running, _LOOK_EVERY_S, FIRST_COMPLETED)
            for each in done:
                reports += _report(each, running.pop(each))


def _report(run: Future[SourceReport], layer_id: str) -> list[SourceReport]:
    try:
        report = run.result()
    except GisError as error:
        log.error("a source could not be run", layer=layer_id, why=str(error))
        return []
    log.info(
        "source", layer=layer_id, state=report.state, read=report.read, added=report.added,
        updated=report.updated, removed=report.removed, failed=report.failed,
    )  # fmt: skip
    return [report]
