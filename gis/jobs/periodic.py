"""Work that a service does again and again, beside its requests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from gis.errors import GisError

log = structlog.get_logger("work")


@contextmanager
def repeating(
    name: str,
    work: Callable[[], object],
    *,
    every_s: float = 1.0,
    bell: threading.Event | None = None,
) -> Iterator[None]:
    """While inside, a thread of its own does `work`, pauses, and does it again.

    `bell` ends a pause early. An error is logged and does not end it: the next round tries again.
    What it waits for is logged once, not each round.
    """
    ended, bell = threading.Event(), bell or threading.Event()

    def rounds() -> None:
        why = ""
        while True:
            bell.wait(every_s)
            if ended.is_set():
                return
            bell.clear()  # before the work: what is rung for meanwhile is done once more
            try:
                work()
                why = ""
            except GisError as error:
                if str(error) != why:
                    log.warning("waits", work=name, why=str(error))
                why = str(error)
            except Exception:
                log.exception("failed", work=name)

    thread = threading.Thread(target=rounds, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        bell.set()
        thread.join(timeout=10)
