"""The query parameters of items, each read by one function; errors say what would be right."""

import math
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import get_args

from fastapi import Request
from sqlalchemy.sql.elements import ColumnElement

from api.ogc.negotiation import only_known
from gis.errors import BadInput
from layers.cql2 import FilterScope, Property, condition, parse, properties_of
from layers.cql2.parser import Language
from layers.items import CRS84, Box, Crs, ItemSource, PageRequest, Query, SortKey, crs_of
from layers.items.literals import span_of

DEFAULT_LIMIT = 1_000
LANGUAGES: tuple[Language, ...] = get_args(Language)
ITEM = ("crs",)
ITEMS = (
    "limit", "bbox", "bbox-crs", "crs", "datetime", "sortby", "cursor", "properties",
    "skipGeometry", "filter", "filter-lang", "filter-crs",
)  # fmt: skip


def page_request(
    request: Request, source: ItemSource, most: int, scope: FilterScope
) -> PageRequest:
    """The page that a request is for; raises BadInput for unknown or wrong parameters."""
    only_known(request, (*ITEMS, *source.by_name))
    given = request.query_params
    return PageRequest(
        query=query_of(given, source, scope=scope),
        limit=limit_of(given.get("limit"), most),
        sort=sort_of(given.get("sortby")),
        cursor=given.get("cursor"),
        crs=crs_in(given.get("crs")),
        properties=names_of(given.get("properties")),
        geometry=not flag_of("skipGeometry", given.get("skipGeometry")),
    )


def query_of(
    given: Mapping[str, str],
    source: ItemSource,
    taken: Collection[str] = ITEMS,
    scope: FilterScope | None = None,
) -> Query:
    """The selection; a field whose name is `taken` by a parameter is asked for by a filter.

    Where the answer is kept for the layer's state alone, there is no `scope` of other layers.
    """
    found = filter_of(given, partial(properties_of, source), scope)
    return Query(
        box=box_of(given.get("bbox"), crs_in(given.get("bbox-crs"))),
        time=span_of(given["datetime"]) if "datetime" in given else None,
        equal={name: given[name] for name in source.by_name if name in given and name not in taken},
        condition=found,
        others=tuple(scope.used) if scope is not None else (),
    )


def filter_of(
    given: Mapping[str, str],
    properties: Callable[[], Mapping[str, Property]],
    scope: FilterScope | None = None,
) -> ColumnElement[bool] | None:
    """The CQL2 filter (Features Part 3) on the properties; None where there is none.

    Every parameter `filter` is read here. Raises BadFilter, and BadInput for what goes with it.
    """
    language = given.get("filter-lang", "cql2-text")
    if language not in LANGUAGES:
        raise BadInput(f"filter-lang={language!r} is not offered: use {' or '.join(LANGUAGES)}")
    crs = crs_in(given.get("filter-crs"))
    if "filter" not in given:
        return None
    return condition(parse(given["filter"], language), properties(), crs, scope)


def limit_of(text: str | None, most: int) -> int:
    """At most `most`: a client that asks for more gets that, and a link to go on."""
    if text is None:
        return min(DEFAULT_LIMIT, most)
    if not (text.isascii() and text.isdigit()) or not 0 < len(text) < 19 or int(text) == 0:
        raise BadInput(f"limit={text!r} is wrong: give a whole number from 1 to {most}")
    return min(int(text), most)


def export_limit(text: str | None) -> int | None:
    """A file holds everything unless the client says how much."""
    return None if text is None else limit_of(text, 2**31)


def box_of(text: str | None, crs: Crs) -> Box | None:
    """Four numbers, or six of which the heights are left out; in the order of the CRS's axes."""
    if text is None:
        return None
    values = _numbers(text)
    if len(values) == 6:
        values = [*values[0:2], *values[3:5]]
    if len(values) != 4:
        raise BadInput(
            f"bbox={text!r} is wrong: give four numbers, west,south,east,north, in the order of "
            "the axes of bbox-crs"
        )
    first, second, third, fourth = values
    if crs.yx:
        return Box(second, first, fourth, third, crs)
    return Box(first, second, third, fourth, crs)


def _numbers(text: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    return values if all(map(math.isfinite, values)) else []


def crs_in(text: str | None) -> Crs:
    return CRS84 if text is None else crs_of(text)


def sort_of(text: str | None) -> tuple[SortKey, ...]:
    """`-severity,+note`; without a sign it ascends. A plus may arrive as a blank."""
    if text is None:
        return ()
    keys = tuple(
        SortKey(part.strip().lstrip("+-"), descending=part.startswith("-"))
        for part in text.split(",")
    )
    if len({key.name for key in keys}) != len(keys):
        raise BadInput(f"sortby={text!r} is wrong: it names a property twice")
    return keys


def names_of(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(part for part in text.split(",") if part)


def flag_of(name: str, text: str | None) -> bool:
    if text not in (None, "true", "false"):
        raise BadInput(f"{name}={text!r} is wrong: give true or false")
    return text == "true"
