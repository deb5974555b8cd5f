"""The coordinate reference systems in which items are asked for, answered and written.

x is always the easting or longitude in here; `yx` says that clients write the northing first.
"""

import re
from dataclasses import dataclass

from gis.errors import BadInput

OGC = "http://www.opengis.net/def/crs"


@dataclass(frozen=True, slots=True)
class Crs:
    """A CRS by its URI; `srid` is that of PostGIS, whose geometries are always x, y."""

    uri: str
    srid: int
    yx: bool
    decimals: int  # of a coordinate in answers: a centimetre or better


CRS84 = Crs(f"{OGC}/OGC/1.3/CRS84", 4326, yx=False, decimals=7)
EPSG_4326 = Crs(f"{OGC}/EPSG/0/4326", 4326, yx=True, decimals=7)
EPSG_3857 = Crs(f"{OGC}/EPSG/0/3857", 3857, yx=False, decimals=3)
EPSG_9208 = Crs(f"{OGC}/EPSG/0/9208", 9208, yx=False, decimals=3)
EPSG_32648 = Crs(f"{OGC}/EPSG/0/32648", 32648, yx=False, decimals=3)

SUPPORTED = (CRS84, EPSG_4326, EPSG_3857, EPSG_9208, EPSG_32648)

_BY_URI = {crs.uri: crs for crs in SUPPORTED}
_EPSG = re.compile(
    r"(?:https?://www\.opengis\.net/def/crs/EPSG/[\d.]+/|urn:ogc:def:crs:EPSG:[\d.]*:|"
    r"\[?EPSG:)(\d+)\]?",
    re.IGNORECASE,
)
_CRS84 = re.compile(
    r"(?:https?://www\.opengis\.net/def/crs/OGC/[\d.]+/|urn:ogc:def:crs:OGC:[\d.]*:|"
    r"\[?OGC:)CRS84\]?",
    re.IGNORECASE,
)


def crs_of(text: str) -> Crs:
    """The CRS of a URI, URN or `[EPSG:9208]`; raises BadInput with the list of those known."""
    if _CRS84.fullmatch(text.strip("<>")):
        return CRS84
    match = _EPSG.fullmatch(text.strip("<>"))
    crs = _BY_URI.get(f"{OGC}/EPSG/0/{match[1]}") if match else None
    if crs is None:
        known = ", ".join(each.uri for each in SUPPORTED)
        raise BadInput(f"the CRS {text!r} is not offered: use one of {known}")
    return crs
