"""Query parameters of zones, each read by one function, whose errors say what would be right."""

import re
from collections.abc import Iterable, Mapping

from api.ogc.dggs_documents import DEFAULT_DEPTH, MOST_DEPTH
from api.ogc.dggs_zones import ZoneArea, require_level, shape_of
from api.ogc.parameters import box_of, crs_in
from gis.errors import BadInput, NotFound
from gis.hexes import cell_of, resolution_of
from layers.items import CRS84

_SUBSET = re.compile(r'([A-Za-z]+)\(("[^"]*"|[^:"]+)(?::("[^"]*"|[^:"]+))?\)(?:,|$)')
_AXES = {"lon": "lon", "long": "lon", "longitude": "lon", "lat": "lat", "latitude": "lat"}


def zone_of(text: str) -> int:
    """Raises NotFound: what is no zone has no resource."""
    try:
        return cell_of(text)
    except BadInput as wrong:
        raise NotFound(str(wrong)) from wrong


def area_of(given: Mapping[str, str]) -> ZoneArea:
    box = box_of(given.get("bbox"), crs_in(given.get("bbox-crs")))
    parent = cell_of(given["parent-zone"]) if "parent-zone" in given else None
    return ZoneArea(None if box is None else shape_of(box), parent)


def with_subset(given: Mapping[str, str]) -> dict[str, str]:
    """`subset=Lat(21:23),Lon(103:105),time("2026-03-01":"2026-03-31")` as bbox and datetime."""
    parameters = dict(given)
    if "subset" not in given:
        return parameters
    axes = dict(_subset(given["subset"]))
    if "time" in axes:
        if "datetime" in given:
            raise BadInput("subset and datetime both name a time: give one of them")
        parameters["datetime"] = "/".join(".." if end == "*" else end for end in axes.pop("time"))
    if axes:
        if "bbox" in given:
            raise BadInput("subset and bbox both name a place: give one of them")
        if crs_in(given.get("subset-crs")).srid != CRS84.srid:
            raise BadInput("Lat and Lon are no axes of subset-crs: leave it out, or use bbox")
        (west, east), (south, north) = axes.get("lon", ("*", "*")), axes.get("lat", ("*", "*"))
        ends = zip((west, south, east, north), ("-180", "-90", "180", "90"), strict=True)
        parameters["bbox"] = ",".join(open_end if end == "*" else end for end, open_end in ends)
    return parameters


def _subset(text: str) -> Iterable[tuple[str, tuple[str, str]]]:
    if "".join(match[0] for match in _SUBSET.finditer(text)) != text:
        raise BadInput(f"subset={text!r} is wrong: write it as in Lat(21:23),Lon(103:105)")
    for match in _SUBSET.finditer(text):
        axis = match[1] if match[1] == "time" else _AXES.get(match[1].lower())
        if axis is None:
            raise BadInput(f"there is no axis {match[1]!r}: there are Lat, Lon and time")
        low = match[2].strip('"')
        yield axis, (low, low if match[3] is None else match[3].strip('"'))


def depths_of(text: str | None, cell: int) -> list[int]:
    """`2`, `0-2` or `0,2`; raises BadInput where nothing is counted at a depth."""
    given = str(DEFAULT_DEPTH) if text is None else text
    match = re.fullmatch(r"(\d{1,2})-(\d{1,2})", given)
    if match:
        depths = list(range(int(match[1]), int(match[2]) + 1))
    elif re.fullmatch(r"\d{1,2}(,\d{1,2})*", given):
        depths = sorted({int(part) for part in given.split(",")})
    else:
        depths = []
    if not depths or max(depths) > MOST_DEPTH:
        raise BadInput(
            f"zone-depth={given!r} is wrong: give a depth from 0 to {MOST_DEPTH}, a "
            "range such as 0-2, or a list such as 0,2"
        )
    for depth in depths:
        require_level(resolution_of(cell) + depth)
    return depths


def whole_of(name: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadInput(f"{name}={text!r} is wrong: give a whole number")
    return int(text)
