"""Measurements of the stations of a collection, with their hourly and daily values.

Under the collection whose items the stations are, and no EDR: what an EDR lists must be EDR alone,
so that one collection would have two addresses.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from api.dependencies import Caller, Reader
from api.ogc import patches
from api.ogc.coverage_json import COVERAGE_JSON, GREGORIAN, instant
from api.ogc.negotiation import Negotiation, negotiate, only_known
from api.ogc.parameters import limit_of
from api.ogc.responses import etag_of_request, unchanged, with_parameters
from api.ogc.service import Collection, collection_of
from gis.access import Principal, Role
from gis.errors import BadInput, NotAllowed, NotFound
from layers.definition.model import Layer
from layers.items import CRS84
from layers.items.literals import span_of
from layers.series.reading import (
    IntervalValue,
    Measurement,
    Station,
    find_stations,
    interval_values,
    read_measurements,
)

router = APIRouter(prefix="/ogc/collections/{layer_id}", include_in_schema=False)

MOST = 10_000  # measurements of a page
NAMES = (
    "station", "item", "quantity", "datetime", "interval", "aggregate", "limit", "cursor",
)  # fmt: skip
INTERVALS = ("hour", "day")
AGGREGATES = ("sum", "mean", "max", "min")
MEASUREMENT_FORMATS = ("json", "csv", "covjson")
_BYTE_ORDER_MARK = "\ufeff"  # without it, spreadsheet programs read UTF-8 as Windows' own

type Json = dict[str, Any]


@router.get("/measurements")
def measurements(layer_id: str, request: Request, connection: Reader, caller: Caller) -> Response:
    """Measurements, or with `interval` the values of hours or days: JSON, CSV, CoverageJSON."""
    only_known(request, NAMES)
    collection = collection_of(request, layer_id, caller)
    layer = collection.layer
    if layer.series is None:
        raise NotFound(f"the layer {layer_id} has no measurements: its records are its items")
    negotiation = negotiate(request, MEASUREMENT_FORMATS)
    given = request.query_params
    stations = _stations(connection, layer, given, caller)
    quantities = _quantities(layer, given.get("quantity"))
    etag = etag_of_request(request, negotiation, collection.state, caller.audience)
    headers = {
        "Content-Language": negotiation.language,
        "ETag": etag,
        "Cache-Control": "no-cache",
    }
    not_modified = unchanged(request, headers)
    if not_modified is not None:
        return not_modified
    interval, aggregate = (
        _word(given, "interval", INTERVALS),
        _word(given, "aggregate", AGGREGATES),
    )
    if interval is not None:
        for name in ("limit", "cursor"):
            if name in given:
                raise BadInput(f"hours and days come all at once: leave out {name}")
        if "datetime" not in given:
            raise BadInput("hours and days need datetime, such as 2026-03-01/2026-03-07")
        values = interval_values(
            connection, layer, stations, quantities, interval, given["datetime"], aggregate
        )  # fmt: skip
        rows = [_interval_row(layer, each, aggregate) for each in values]
        return _answer(negotiation, headers, collection, stations, quantities, rows, links=[])
    if aggregate is not None:
        raise BadInput("aggregate needs interval=hour or interval=day")
    page = read_measurements(
        connection,
        layer,
        stations,
        quantities,
        span_of(given.get("datetime", "../..")),
        limit_of(given.get("limit"), MOST),
        given.get("cursor"),
    )
    rows = [_row(each) for each in page.measurements]
    links = []
    if page.next is not None:
        href = with_parameters(negotiation, given, cursor=page.next)
        headers["Link"] = f'<{href}>; rel="next"'
        links.append(patches.link("next", href, patches.JSON, negotiation.language))
    return _answer(negotiation, headers, collection, stations, quantities, rows, links)


def _stations(
    connection: Reader, layer: Layer, given: Mapping[str, str], caller: Principal
) -> list[Station]:
    """Raises NotFound, BadInput, and NotAllowed for all of a layer that is given out by area."""
    if "station" in given and "item" in given:
        raise BadInput("give station or item, which both name stations")
    by_station = layer.largest_export_km2 is not None and caller.role is not Role.ADMIN
    if by_station and not {"station", "item"} & set(given):
        raise NotAllowed(f"measurements of {layer.id} are given out by station: add station=")
    if "item" in given:
        ids = given["item"].split(",")
        if not all(each.isascii() and each.isdigit() and len(each) < 19 for each in ids):
            raise BadInput(f"item={given['item']!r} is wrong: give ids of items, such as 1,2")
        return find_stations(connection, layer, ids=[int(each) for each in ids])
    keys = given["station"].split(",") if "station" in given else None
    return find_stations(connection, layer, keys)


def _quantities(layer: Layer, names: str | None) -> list[str]:
    assert layer.series is not None
    known = list(layer.series.quantities)
    if names is None:
        return known
    asked = names.split(",")
    if unknown := [name for name in asked if name not in known]:
        raise BadInput(f"there is no quantity {unknown[0]!r}: there are {', '.join(known)}")
    return [name for name in known if name in asked]


def _word(given: Mapping[str, str], name: str, words: tuple[str, ...]) -> Any:
    word = given.get(name)
    if word is not None and word not in words:
        raise BadInput(f"{name}={word!r} is not offered: use one of {', '.join(words)}")
    return word


def _row(measurement: Measurement) -> Json:
    return {
        "station": measurement.station.key,
        "item": measurement.station.id,
        "quantity": measurement.quantity,
        "time": instant_text(measurement.measured_at),
        "value": measurement.value,
        "quality": measurement.quality,
    }


def _interval_row(layer: Layer, each: IntervalValue, aggregate: str | None) -> Json:
    assert layer.series is not None
    return {
        "station": each.station.key,
        "item": each.station.id,
        "quantity": each.quantity,
        "start": instant_text(each.start),
        "end": instant_text(each.end),
        **({"day": each.day.isoformat()} if each.day else {}),
        "aggregate": aggregate or layer.series.quantities[each.quantity].aggregate,
        "value": each.value,
        "measured": each.measured,
        "count": each.count,
        "expected": each.expected,
        "completeness": round(each.completeness, 4),
    }


def instant_text(moment: Any) -> str:
    """An instant in UTC; its fractions of a second only where it has some."""
    text = instant(moment.astimezone(UTC))
    return text if not moment.microsecond else f"{text[:-1]}.{moment:%f}Z"


def _answer(
    negotiation: Negotiation,
    headers: dict[str, str],
    collection: Collection,
    stations: Sequence[Station],
    quantities: Sequence[str],
    rows: list[Json],
    links: list[dict[str, str]],
) -> Response:
    layer = collection.layer
    if negotiation.format == "csv":
        headers["Content-Disposition"] = f'attachment; filename="{layer.id}-measurements.csv"'
        return Response(_csv(rows), headers=headers, media_type="text/csv")
    if negotiation.format == "covjson":
        document = _coverages(layer, stations, quantities, rows)
        return Response(orjson.dumps(document), headers=headers, media_type=COVERAGE_JSON)
    assert layer.series is not None
    document = {
        "layer": layer.id,
        "title": layer.title.model_dump(),
        "dayStarts": layer.series.day_starts,
        "simulated": any(each.simulated for each in stations),
        "quantities": {name: _described(layer, name) for name in quantities},
        "numberReturned": len(rows),
        "links": links,
        "measurements": rows,
    }
    return Response(orjson.dumps(document), headers=headers, media_type=patches.JSON)


def _described(layer: Layer, name: str) -> Json:
    """A quantity: its name for people, its unit, and its levels of alarm where they are numbers or
    fields.
    """
    assert layer.series is not None
    field, quantity = layer.fields[name], layer.series.quantities[name]
    return {
        "label": field.label.model_dump(),
        "unit": field.unit,
        "every": quantity.every,
        "aggregate": quantity.aggregate,
        "thresholds": [
            {"title": each.title.model_dump(), "at": each.at} for each in quantity.thresholds
        ],
    }


def _csv(rows: Sequence[Json]) -> bytes:
    """UTF-8 with a byte order mark and a header; without rows it is the mark alone."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\r\n")
    if rows:
        writer.writeheader()
        writer.writerows(rows)
    return (_BYTE_ORDER_MARK + out.getvalue()).encode()


def _coverages(
    layer: Layer, stations: Sequence[Station], quantities: Sequence[str], rows: Sequence[Json]
) -> Json:
    """A PointSeries for each station and quantity that has rows."""
    groups: dict[tuple[int, str], list[Json]] = {}
    for row in rows:
        groups.setdefault((row["item"], row["quantity"]), []).append(row)
    by_id = {each.id: each for each in stations}
    coverages = [
        _coverage(by_id[item], name, group)
        for (item, name), group in groups.items()
        if by_id[item].lon is not None
    ]
    return {
        "type": "CoverageCollection",
        "domainType": "PointSeries",
        "parameters": {name: _parameter(layer, name) for name in quantities},
        "coverages": coverages,
    }


def _parameter(layer: Layer, name: str) -> Json:
    field = layer.fields[name]
    unit = {"symbol": {"value": field.unit, "type": "http://www.opengis.net/def/uom/UCUM/"}}
    return {
        "type": "Parameter",
        "observedProperty": {
            "id": f"urn:gis:series:{layer.id}:{name}",
            "label": field.label.model_dump(),
        },
        **({"unit": unit} if field.unit else {}),
    }


def _coverage(station: Station, name: str, rows: Sequence[Json]) -> Json:
    times: Json = {"values": [row.get("time") or row["start"] for row in rows]}
    if "start" in rows[0]:
        times["bounds"] = [row[bound] for row in rows for bound in ("start", "end")]
    return {
        "type": "Coverage",
        "id": station.key,
        "domain": {
            "type": "Domain",
            "domainType": "PointSeries",
            "axes": {"x": {"values": [station.lon]}, "y": {"values": [station.lat]}, "t": times},
            "referencing": [
                {
                    "coordinates": ["x", "y"],
                    "system": {"type": "GeographicCRS", "id": CRS84.uri},
                },
                {"coordinates": ["t"], "system": GREGORIAN},
            ],
        },
        "ranges": {
            name: {
                "type": "NdArray",
                "dataType": "float",
                "axisNames": ["t"],
                "shape": [len(rows)],
                "values": [row["value"] for row in rows],
            }
        },
    }
