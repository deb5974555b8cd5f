"""Closing of layers and fields: data that a new layer file shows to fewer readers.

Whatever was derived from it goes in the transaction that publishes the file: results and inputs of
runs, texts of alerts, and the right to serve archives and tiles on disk, whose files are deleted
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
    """Rows or counts by hex that fewer may read now, and fields that are no longer public."""

    rows: bool
    hexes: bool
    fields: frozenset[str]

    def __bool__(self) -> bool:
        return self.rows or self.hexes or bool(self.fields)


def compare_access(before: Mapping[str, Any], layer: Layer) -> Closing:
    """Compare a layer file with `before`, the definition that was published last."""
    served = {
        name
        for name, definition in (before.get("fields") or {}).items()
        if not definition.get("personal")
    }
    audience = Audience((before.get("access") or {}).get("read", Audience.PUBLIC))
    hexes = before.get("hexes")
    counted = Audience(hexes.get("read") or audience) if hexes else Audience.PRIVATE
    counted_now = (layer.hexes.read or layer.access.read) if layer.hexes else Audience.PRIVATE
    return Closing(
        rows=_WIDTH[layer.access.read] < _WIDTH[audience],
        hexes=_WIDTH[counted_now] < _WIDTH[counted],
        fields=frozenset(served - set(layer.public_fields)),
    )


def outdate_derived(connection: Connection, layer: Layer, closing: Closing) -> None:
    """Stop serving what was derived from the layer up to now; call after publishing it."""
    connection.execute(_OUTDATE, {"layer": layer.id})
    if closing.rows:
        redact_runs_exposed_to(connection, layer.id)


def redact_detection(
    connection: Connection, layer_id: str, field: str, before: Mapping[str, Any]
) -> None:
    """Redact runs and alerts that used a field which became personal.

    `before` is the definition that was published last.
    """
    rules = [
        str(rule["id"])
        for rule in (before.get("alerts") or {}).get("rules") or ()
        if _mentions(rule, field)
    ]
    redacted = redact_runs_of_field(connection, layer_id, field)
    if redacted or _mentions(before.get("hotspots"), field):
        rules += RUN_RULES
    if rules:
        redact_alerts(connection, layer_id, rules)


def _mentions(section: Any, field: str) -> bool:
    content = orjson.dumps(section).decode()
    return re.search(rf"\b{re.escape(field)}\b", content) is not None
