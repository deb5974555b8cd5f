"""The life of a record, for principals who may write its layer."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.dependencies import Caller, DeclaredParameters, Reader, UsedCatalogue, writable_layer
from layers.ingest.trace import trace as trace_record

router = APIRouter(prefix="/layers/{layer_id}", tags=["layers"], dependencies=[DeclaredParameters])

Key = Annotated[
    str, Query(min_length=1, max_length=2000, description="Key of the record, of its source")
]


@router.get("/trace")
def trace(
    layer_id: str, key: Key, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> dict[str, Any]:
    """The life of each record with this key, one a source: loads, mapping, changes, placings."""
    layer = writable_layer(catalogue, layer_id, caller)
    return {"records": [asdict(each) for each in trace_record(connection, layer, key)]}
