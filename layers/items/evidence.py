"""Source records of an alert, with what anybody sees who may read their layer."""

from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY

from gis.access import Principal
from layers.definition.model import Layer
from layers.items import PageRequest, Query, read_page, source_of

_MOST = 1000


def evidence_records(
    connection: Connection, layer: Layer, ids: tuple[int, ...], principal: Principal
) -> list[dict[str, Any]]:
    """GeoJSON features of the rows that are still there, at most 1000 of them.

    Served like any item: personal fields are in no row. Raises NotFound where the principal
    may not read the layer.
    """
    source = source_of(layer)
    is_evidence = source.id == any_(literal(list(ids[:_MOST]), ARRAY(BigInteger())))
    request = PageRequest(Query(condition=is_evidence), limit=_MOST)
    page = read_page(connection, source, request, principal)
    return [orjson.loads(feature) for feature in page.features]
