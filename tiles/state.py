"""Which state of a layer an answer shows. A committed change gives a new state."""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, text

from gis.database.engine import Database
from gis.errors import NotFound


@dataclass(frozen=True, slots=True)
class LayerState:
    """A layer's version, the day on which the calendar alone last changed its rows ("-infinity":
    never; only views follow it), and when the version came, which tells it from that of a database
    put back to an earlier day.

    `digest` is of the layer file that is published; `derived_from` the least version of which what
    was derived may be handed out: it rises when the layer, or a field of it, is closed.
    """

    layer_id: str
    version: int
    day: str
    changed_at: str
    digest: str = ""
    derived_from: int = 0

    def covers(self, other: Self) -> bool:
        """Whether what was made of this state a moment ago shows all that the other does."""
        later = self.version >= other.version and self.changed_at >= other.changed_at
        return self.day == other.day and later

    @property
    def stamp(self) -> str:
        return f"{self.version}.{self.day}"


_STATE = """
SELECT id, version, CASE WHEN is_view THEN gis.changed_by_calendar(id) ELSE '-infinity' END::text,
  changed_at::text, digest, archives_from
FROM gis.layer WHERE published"""
_STATES = text(f"{_STATE} AND id = ANY(:ids)")


def read_states(connection: Connection, layer_ids: list[str]) -> dict[str, LayerState]:
    """The states of the published ones among some layers."""
    rows = connection.execute(_STATES, {"ids": layer_ids})
    return {row[0]: LayerState(*row) for row in rows}


def read_state(connection: Connection, layer_id: str) -> LayerState:
    """Raises NotFound when the layer is not published."""
    return _published(read_states(connection, [layer_id]), layer_id)


def states_of_all(connection: Connection) -> dict[str, LayerState]:
    """The states of all layers, also of those that are not published any more."""
    return {row[0]: LayerState(*row) for row in connection.execute(_ALL)}


_ALL = text(
    "SELECT id, version, gis.today()::text, changed_at::text, digest, archives_from FROM gis.layer"
)


def _published(states: Mapping[str, LayerState], layer_id: str) -> LayerState:
    if layer_id not in states:
        raise NotFound(f"the layer {layer_id} is not published: run `gis layers sync`")
    return states[layer_id]


class States:
    """The states of all layers, read anew for whoever asks, once for all who ask meanwhile.

    Who asks joins a reading that has not begun, so that it sees all that was committed before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._next: Future[Mapping[str, LayerState]] | None = None

    def of(self, layer_id: str) -> LayerState:
        """Raises NotFound when the layer is not published."""
        return _published(self.read(), layer_id)

    def read(self) -> Mapping[str, LayerState]:
        """The states of the published layers, by id."""
        with self._lock:
            joined = self._next
            if joined is None:
                mine = self._next = Future[Mapping[str, LayerState]]()
        if joined is not None:
            return joined.result()
        with self._running:
            with self._lock:
                self._next = None
            try:
                found = states_of(self._database.ask(ALL_STATES, {}))
            except BaseException as error:
                mine.set_exception(error)
                raise
            mine.set_result(found)
            return found


ALL_STATES = _STATE


def states_of(rows: Iterable[tuple[Any, ...]]) -> Mapping[str, LayerState]:
    """The states that ALL_STATES gives, by layer."""
    return {row[0]: LayerState(*row) for row in rows}
