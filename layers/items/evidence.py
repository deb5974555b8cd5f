"""The records beneath an alert, as anybody who may read their layer sees them."""

from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY

from gis.access import Principal
from layers.definition.model import Layer
from layers.items import PageRequest, Query, read_page, source_of

_MOST = 1000


def evidence_records(
    connection: Connection, layer: Layer, ids: tuple[int, ...], who: Principal
) -> list[dict[str, Any]]:
    """GeoJSON features of the rows that are still there, at most 1000 of them.

    Served like any item: personal fields are in no row. Raises NotFound when `who` may not read
    the layer.
    """
    source = source_of(layer)
    wanted = source.id == any_(literal(list(ids[:_MOST]), ARRAY(BigInteger())))
    request = PageRequest(Query(condition=wanted), limit=_MOST)
    page = read_page(connection, source, request, who)
    return [orjson.loads(feature) for feature in page.features]
