"""Bounds for what lasts: how many there may be at a time, and how many of one client."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import HTTPConnection

from gis.errors import TooMany, Unavailable


class ConcurrencyLimit:
    """Limit of what a process does at a time, for its event loop. `what` names it in an error, in
    the plural.
    """

    def __init__(self, what: str, most: int, most_of_one: int) -> None:
        self._what = what
        self.most = most
        self.most_of_one = most_of_one
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        return self._taken.total()

    @contextmanager
    def place(self, client: str, *, spare: int = 0) -> Iterator[None]:
        """Raises TooMany where the client has all that one may have, Unavailable where fewer than
        `spare` places would be left.
        """
        if self._taken[client] >= self.most_of_one:
            raise TooMany(
                f"{self.most_of_one} {self._what} go to your address already: end one of them, "
                "then ask again"
            )
        if self.taken >= self.most - spare:
            raise Unavailable(f"{self.taken} {self._what} are under way: try again later")
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            self._taken += Counter()  # forgets who has none


def client_of(request: HTTPConnection) -> str:
    """The address of a client, as a proxy on this machine gives it."""
    return "" if request.client is None else request.client.host
