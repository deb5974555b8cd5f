"""State of a layer, which every committed change renews: what caches and ETags go by."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Date,
    DateTime,
    Text,
    cast,
    column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.elements import ColumnElement

from gis.database.engine import Database
from gis.errors import NotFound


@dataclass(frozen=True, slots=True)
class LayerState:
    """A layer's version, the day on which the calendar alone last changed its rows ("-infinity":
    never; only views follow it), and when the version came, which differs in a database that was
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
        """True where what was drawn from this state shows all that the other state has."""
        later = self.version >= other.version and self.changed_at >= other.changed_at
        return self.day == other.day and later

    @property
    def stamp(self) -> str:
        return f"{self.version}.{self.day}"


LAYER_STATES = table(
    "layer_state",
    column("id", Text()),
    column("published", Boolean()),
    column("version", BigInteger()),
    column("day", Date()),
    column("changed_at", DateTime(timezone=True)),
    column("digest", Text()),
    column("archives_from", BigInteger()),
    schema="gis",
)
DAY = cast(LAYER_STATES.c.day, Text())
# In the order of the fields of LayerState.
STATE_COLUMNS: tuple[ColumnElement[Any], ...] = (
    LAYER_STATES.c.id,
    LAYER_STATES.c.version,
    DAY,
    cast(LAYER_STATES.c.changed_at, Text()),
    LAYER_STATES.c.digest,
    LAYER_STATES.c.archives_from,
)
_PUBLISHED = select(*STATE_COLUMNS).where(LAYER_STATES.c.published)
STATES = str(_PUBLISHED.compile(dialect=PGDialect_psycopg()))  # type: ignore[no-untyped-call]  # without values: for the driver


def states_of(rows: Iterable[Sequence[Any]]) -> dict[str, LayerState]:
    """The states that rows of STATE_COLUMNS give, by layer id."""
    return {row[0]: LayerState(*row) for row in rows}


class LatestStates:
    """The states of the rows that were read last: most readings give the same rows again."""

    def __init__(self) -> None:
        self._latest: tuple[Sequence[Sequence[Any]], Mapping[str, LayerState]] = ((), {})

    def of(self, rows: Sequence[Sequence[Any]]) -> Mapping[str, LayerState]:
        """As `states_of`; the same object where the rows are the same."""
        known, states = self._latest
        if rows != known:
            states = states_of(rows)
            self._latest = rows, states
        return states


def digests_of(states: Mapping[str, LayerState]) -> dict[str, str]:
    """The digests of the layer files that are published, by layer id."""
    return {layer_id: state.digest for layer_id, state in states.items()}


def read_states(connection: Connection, layer_ids: Sequence[str]) -> dict[str, LayerState]:
    """The states of the published ones among some layers."""
    return states_of(connection.execute(_PUBLISHED.where(LAYER_STATES.c.id.in_(layer_ids))))


def read_state(connection: Connection, layer_id: str) -> LayerState:
    """Raises NotFound where the layer is not published."""
    return state_in(read_states(connection, [layer_id]), layer_id)


def states_of_all(connection: Connection) -> dict[str, LayerState]:
    """The states of all layers, also of those that are not published any more."""
    return states_of(connection.execute(select(*STATE_COLUMNS)))


def state_in(states: Mapping[str, LayerState], layer_id: str) -> LayerState:
    """The state of a layer among those of the published ones; raises NotFound."""
    if layer_id not in states:
        raise not_published(layer_id)
    return states[layer_id]


def not_published(layer_id: str) -> NotFound:
    return NotFound(f"the layer {layer_id} is not published: run `gis layers sync`")


class States:
    """The states of all layers, read anew for each request, once for all concurrent ones.

    A request joins a reading that has not begun, so that it sees all that was committed before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._next: Future[Mapping[str, LayerState]] | None = None
        self.latest = LatestStates()

    def of(self, layer_id: str) -> LayerState:
        """Raises NotFound when the layer is not published."""
        return state_in(self.read(), layer_id)

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
                states = self.latest.of(self._database.ask(STATES, {}))
            except BaseException as error:
                mine.set_exception(error)
                raise
            mine.set_result(states)
            return states
