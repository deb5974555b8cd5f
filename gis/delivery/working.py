"""Delivery beside a service: several senders, so that one slow receiver delays no other."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gis.database.engine import Database
from gis.delivery.publishing import publish_due
from gis.delivery.sending import Sender, send_due
from gis.repeating import repeating

_SENDERS = 4
_EVERY_S = 0.5


@contextmanager
def delivering(database: Database, sender: Sender, cap_sender: str) -> Iterator[None]:
    """While inside, what is due is sent, and CAP documents are made."""
    with ExitStack() as working:
        for number in range(_SENDERS):
            work = repeating(
                f"sender {number}", lambda: send_due(database, sender), every_s=_EVERY_S
            )
            working.enter_context(work)
        publish = repeating(
            "CAP",
            lambda: publish_due(database, cap_sender, sender.retrying),
            every_s=_EVERY_S,
        )
        working.enter_context(publish)
        yield
