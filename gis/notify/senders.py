"""Delivery beside a service: several senders, so that one slow receiver delays no other.

The first of them leaves alone whoever fails, so that also many slow receivers delay no other.
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
    """While inside, what is due is sent, and CAP documents are made."""
    with ExitStack() as working:
        for number in range(_SENDERS):
            send = partial(send_due, database, sender, healthy=number == 0)
            working.enter_context(repeating(f"sender {number}", send, every_s=_EVERY_S))
        publish = repeating(
            "CAP",
            lambda: publish_due(database, cap_sender, sender.retrying),
            every_s=_EVERY_S,
        )
        working.enter_context(publish)
        yield
