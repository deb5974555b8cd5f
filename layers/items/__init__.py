"""Reading the rows of a layer: selection (query), order (paging), form (geojson, formats)."""

from layers.items.columns import ItemSource, ServedColumn, source_of
from layers.items.counting import Count, CountKind
from layers.items.crs import CRS84, SUPPORTED, Crs, crs_of
from layers.items.geojson import Page, PageRequest, read_item, read_page
from layers.items.paging import SortKey
from layers.items.query import Box, Query

__all__ = [
    "CRS84",
    "SUPPORTED",
    "Box",
    "Count",
    "CountKind",
    "Crs",
    "ItemSource",
    "Page",
    "PageRequest",
    "Query",
    "ServedColumn",
    "SortKey",
    "crs_of",
    "read_item",
    "read_page",
    "source_of",
]
