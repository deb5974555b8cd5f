"""Which state of a layer an answer shows. A committed change gives a new state."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from gis.errors import NotFound


@dataclass(frozen=True, slots=True)
class LayerState:
    """A layer's version and, as views follow the calendar, the day on which it was read."""

    layer_id: str
    version: int
    day: str

    @property
    def stamp(self) -> str:
        return f"{self.version}.{self.day}"


_STATES = text(
    "SELECT id, version, current_date::text AS day FROM gis.layer"
    " WHERE published AND id = ANY(:ids)"
)


def read_states(connection: Connection, layer_ids: list[str]) -> dict[str, LayerState]:
    """The states of the published ones among some layers."""
    rows = connection.execute(_STATES, {"ids": layer_ids})
    return {row.id: LayerState(row.id, row.version, row.day) for row in rows}


def read_state(connection: Connection, layer_id: str) -> LayerState:
    """Raises NotFound when the layer is not published."""
    found = read_states(connection, [layer_id])
    if layer_id not in found:
        raise NotFound(f"the layer {layer_id} is not published: run `gis layers sync`")
    return found[layer_id]
