"""Threads that deliver beside a service: several, so that one slow receiver delays no other.

The first leaves out subscriptions with failed deliveries, so that even many slow receivers delay no
other.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from gis.database.engine import Database
from gis.jobs.periodic import repeating
from gis.notify.cap.publication import publish_due
from gis.notify.dispatch import Sender, send_due

_SENDERS = 4
_EVERY_S = 0.5


@contextmanager
def delivering(database: Database, sender: Sender, cap_sender: str) -> Iterator[None]:
    """While inside, due notifications are sent and CAP documents made."""
    with ExitStack() as threads:
        for number in range(_SENDERS):
            send = partial(send_due, database, sender, healthy=number == 0)
            threads.enter_context(repeating(f"sender {number}", send, every_s=_EVERY_S))
        publish = repeating(
            "CAP",
            lambda: publish_due(database, cap_sender, sender.retrying),
            every_s=_EVERY_S,
        )
        threads.enter_context(publish)
        yield
