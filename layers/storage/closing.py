"""What a layer file closes that was open before: the layer to some, fields to all.

What was derived from it goes in the transaction that publishes the file: results and inputs of
runs, words of alerts, and the right to hand out archives and tiles on disk, whose files are deleted
afterwards (tiles.outdated).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text

from gis.alerts.redaction import redact_alerts
from layers.definition.model import Audience, Layer
from layers.detect.redaction import RUN_RULES, redact_runs_exposed_to, redact_runs_of_field

_WIDTH: Final = {Audience.PRIVATE: 0, Audience.DEPARTMENT: 1, Audience.PUBLIC: 2}
_OUTDATE = text("UPDATE gis.layer SET archives_from = version WHERE id = :layer")


@dataclass(frozen=True, slots=True)
class Closing:
    """Whether fewer may read the rows, or the counts by hex; the fields that are served no more."""

    rows: bool
    hexes: bool
    fields: frozenset[str]

    def __bool__(self) -> bool:
        return self.rows or self.hexes or bool(self.fields)


def closing_of(before: Mapping[str, Any], layer: Layer) -> Closing:
    """`before`: the definition of the layer that was published last."""
    served = {name for name, one in (before.get("fields") or {}).items() if not one.get("personal")}
    read = Audience((before.get("access") or {}).get("read", Audience.PUBLIC))
    hexes = before.get("hexes")
    counted = Audience(hexes.get("read") or read) if hexes else Audience.PRIVATE
    counted_now = (layer.hexes.read or layer.access.read) if layer.hexes else Audience.PRIVATE
    return Closing(
        rows=_WIDTH[layer.access.read] < _WIDTH[read],
        hexes=_WIDTH[counted_now] < _WIDTH[counted],
        fields=frozenset(served - set(layer.public_fields)),
    )


def outdate(connection: Connection, layer: Layer, closing: Closing) -> None:
    """What was derived from the layer up to now is handed out no more; after it is published."""
    connection.execute(_OUTDATE, {"layer": layer.id})
    if closing.rows:
        redact_runs_exposed_to(connection, layer.id)


def redact_detection(
    connection: Connection, layer_id: str, field: str, before: Mapping[str, Any]
) -> None:
    """Runs and alerts that went by a field which became personal, by the definition before."""
    rules = [
        str(rule["id"])
        for rule in (before.get("alerts") or {}).get("rules") or ()
        if _names(rule, field)
    ]
    redacted = redact_runs_of_field(connection, layer_id, field)
    if redacted or _names(before.get("hotspots"), field):
        rules += RUN_RULES
    if rules:
        redact_alerts(connection, layer_id, rules)


def _names(section: Any, field: str) -> bool:
    words = orjson.dumps(section).decode()
    return re.search(rf"\b{re.escape(field)}\b", words) is not None
