"""Edits of a layer, for principals who may write it; any change can be put back."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.dependencies import (
    Caller,
    DeclaredParameters,
    Reader,
    UsedCatalogue,
    Writer,
    writable_layer,
)
from api.records import Record, change_record, json_ready
from layers.ingest import edit
from layers.ingest.edit import RowChange
from layers.storage.tables import table_of

router = APIRouter(
    prefix="/layers/{layer_id}/changes", tags=["layers"], dependencies=[DeclaredParameters]
)

Item = Annotated[int | None, Query(ge=0, lt=2**63, description="Only changes of this item")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most changes to list")]


@router.get("")
def changes(
    layer_id: str,
    connection: Reader,
    catalogue: UsedCatalogue,
    caller: Caller,
    item: Item = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The edits of a layer's items, newest first; `before` is the row as it was, in the fields that
    the layer has by now.
    """
    layer = writable_layer(catalogue, layer_id, caller)
    names = set(table_of(layer).columns.keys())
    found = edit.history(connection, layer.id, item, limit)
    return {"changes": [_in_fields_of_today(change, names) for change in found]}


@router.post("/{change_id}/revert")
def revert(
    layer_id: str, change_id: int, connection: Writer, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """Put an item back as it was before a change. This is a change too, and can be reverted."""
    layer = writable_layer(catalogue, layer_id, caller)
    return {"item": edit.revert(connection, layer, change_id, caller)}


def _in_fields_of_today(change: RowChange, names: set[str]) -> Record:
    before = change.before and {name: change.before[name] for name in change.before.keys() & names}
    return {**json_ready(change_record(change)), "before": before}
