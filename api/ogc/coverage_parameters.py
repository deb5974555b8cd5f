"""Query parameters of coverages and of EDR, each read by one function."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from api.ogc.parameters import box_of, crs_in
from gis.errors import BadInput
from layers.items import CRS84, Box, Crs, crs_of

if TYPE_CHECKING:
    import shapely

MOST_SCALE = 10_000
_SUBSET = re.compile(r"\s*(\w+)\(([^()]*)\)\s*(?:,|$)")
_AXES = {"lon": "x", "long": "x", "e": "x", "x": "x", "lat": "y", "n": "y", "y": "y",
         "time": "t", "t": "t", "datetime": "t"}  # fmt: skip
_MOST_VERTICES = 10_000


def named_crs(text: str | None) -> Crs:
    """A CRS by URI, `EPSG:9208`, or the short name CRS84; CRS84 without one."""
    if text is None or text.upper() in ("CRS84", "WGS84"):
        return CRS84
    return crs_of(text)


def box_asked(given: Mapping[str, str]) -> tuple[Box | None, str | None]:
    """The box of `bbox` or `subset`, and the time of `subset`. Raises BadInput."""
    box = box_of(given.get("bbox"), crs_in(given.get("bbox-crs")))
    if "subset" not in given:
        return box, None
    if box is not None:
        raise BadInput("give either bbox or subset")
    spans = _subsets(given["subset"])
    time = spans.pop("t", None)
    if not spans:
        return None, time
    crs = named_crs(given.get("subset-crs"))
    west, east = _interval("x", spans.get("x"))
    south, north = _interval("y", spans.get("y"))
    return Box(west, south, east, north, crs), time


def scale_asked(
    given: Mapping[str, str],
) -> tuple[float | None, tuple[int | None, int | None] | None]:
    """`scale-factor`, and columns and rows of `width` and `height` or `scale-size`."""
    factor, size = given.get("scale-factor"), None
    named = [name for name in ("width", "height") if name in given]
    if "scale-size" in given:
        parts = dict(_subset_parts("scale-size", given["scale-size"]))
        size = (_whole("scale-size", parts.get("x")), _whole("scale-size", parts.get("y")))
    if named:
        size = (_whole("width", given.get("width")), _whole("height", given.get("height")))
    if sum((factor is not None, bool(named), "scale-size" in given)) > 1:
        raise BadInput("give one of scale-factor, scale-size, or width and height")
    if factor is None:
        return None, size
    try:
        number = float(factor)
    except ValueError:
        number = math.nan
    if not 1 / MOST_SCALE <= number <= MOST_SCALE:
        raise BadInput(
            f"scale-factor={factor!r} is wrong: 2 makes pixels twice as large, 1 leaves them; at "
            f"most {MOST_SCALE}"
        )
    return number, None


def shape_asked(text: str | None, kinds: tuple[str, ...]) -> "shapely.Geometry":
    """The geometry of `coords`. Raises BadInput where it is missing, broken or of another kind."""
    import shapely

    example = {"POINT": "POINT(104.1 22.3)", "POLYGON": "POLYGON((104 22,105 22,104 23,104 22))",
               "LINESTRING": "LINESTRING(104 22,104.2 22.3)"}[kinds[0]]  # fmt: skip
    if not text:
        raise BadInput(f"coords is missing: give WKT such as {example}")
    try:
        shape = shapely.from_wkt(text)
    except shapely.errors.ShapelyError:
        shape = None
    if shape is None or shape.is_empty or shape.geom_type.upper() not in kinds:
        raise BadInput(
            f"coords={text[:80]!r} is wrong: give WKT of {' or '.join(kinds)}, such as {example}"
        )
    coordinates = shapely.get_coordinates(shape)
    if len(coordinates) > _MOST_VERTICES or not all(map(math.isfinite, coordinates.ravel())):
        raise BadInput(f"coords has more than {_MOST_VERTICES} points, or one that is no number")
    return shapely.force_2d(shape)


def _subsets(text: str) -> dict[str, str]:
    return dict(_subset_parts("subset", text))


def _subset_parts(name: str, text: str) -> list[tuple[str, str]]:
    parts = _SUBSET.findall(text)
    axes = [_AXES.get(axis.lower()) for axis, _ in parts]
    whole = "".join(match.group(0) for match in _SUBSET.finditer(text)) == text
    if not parts or not whole or None in axes or len(set(axes)) != len(axes):
        raise BadInput(
            f"{name}={text!r} is wrong: name axes, each once, as in Lon(103.9:104.1),Lat(22.3:22.5)"
            " or E(410000:420000),N(2470000:2480000)"
        )
    return [(str(axis), values) for axis, (_, values) in zip(axes, parts, strict=True)]


def _interval(axis: str, text: str | None) -> tuple[float, float]:
    """Ends that are missing or * are far away, but on the earth in any CRS that is offered."""
    if text is None:
        return -math.inf, math.inf
    first, colon, last = text.partition(":")
    try:
        low = -math.inf if first == "*" else float(first)
        high = (math.inf if last == "*" else float(last)) if colon else low
    except ValueError:
        low = high = math.nan
    if not low <= high:
        raise BadInput(f"subset of {axis}: {text!r} is wrong: give low:high, * for an open end")
    return low, high


def _whole(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text)):
        raise BadInput(f"{name}={text!r} is wrong: give a whole number of pixels")
    return int(text)
