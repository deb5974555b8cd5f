"""Threads that deliver beside a service: several, so that one slow receiver delays no other.

The first leaves out subscriptions with failed deliveries, so that even many slow receivers delay no
other.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from gis.database.engine import Database
from gis.jobs.periodic import repeating
from gis.jobs.pulse import Pulse
from gis.notify.cap.publication import publish_due
from gis.notify.dispatch import Sender, send_due

_SENDERS = 4
_EVERY_S = 0.5
_RUNG_EVERY_S = 5.0  # where a pulse tells what is due sooner


@contextmanager
def delivering(
    database: Database, sender: Sender, cap_sender: str, pulse: Pulse | None = None
) -> Iterator[None]:
    """While inside, due notifications are sent and CAP documents made.

    With the pulse of a worker the threads ask for what is due when it says so.
    """
    every_s = _EVERY_S if pulse is None else _RUNG_EVERY_S

    def bell(column: str) -> threading.Event | None:
        return None if pulse is None else pulse.bell(column)

    with ExitStack() as threads:
        for number in range(_SENDERS):
            send = partial(send_due, database, sender, healthy=number == 0)
            due = bell("delivery_due")
            threads.enter_context(repeating(f"sender {number}", send, every_s=every_s, bell=due))
        publish = repeating(
            "CAP",
            lambda: publish_due(database, cap_sender, sender.retrying),
            every_s=every_s,
            bell=bell("document_due"),
        )
        threads.enter_context(publish)
        yield
