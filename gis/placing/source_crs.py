"""CRSs of sources, and the exact transformation from each to WGS 84."""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.aoi import AreaOfUse
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import AreaOfInterest

from gis.errors import BadInput
from gis.values import BBox

type Floats = NDArray[np.float64]

GEOGRAPHIC = ("EPSG:4326", "EPSG:4756")
TM3 = tuple(f"EPSG:{code}" for code in (*range(9205, 9219), 5896, 5897, 5898, 5899))
UTM = ("EPSG:3405", "EPSG:3406", "EPSG:32648", "EPSG:32649")
HANOI_72 = ("EPSG:2044", "EPSG:2045", "EPSG:3147", "EPSG:4147")
_SWAPPED = ":yx"
_VN_2000 = "Vietnam 2000"
_UNIT_IN_NAME = re.compile(r"\s*\((?:ft|ftUS|ftIntl|m|US Feet)\)$")
_VN_2000_NAME = re.compile(r"VN.?2000", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Projection:
    """A transverse Mercator projection; -1 where a CRS has none.

    `meridian` in degrees, `scale` (k₀) without unit, `easting` in metres.
    """

    meridian: float
    scale: float
    easting: float


@dataclass(frozen=True, slots=True)
class SourceCrs:
    """The CRS of two columns; `swapped` when the column called x holds northing or latitude."""

    crs: CRS
    swapped: bool = False

    def __str__(self) -> str:
        text = self.code or self.crs.to_wkt()
        return text + _SWAPPED if self.swapped else text

    @property
    def code(self) -> str | None:
        """The code, such as `EPSG:9208`, where the CRS was given by it; else None."""
        identifier = self.crs.to_json_dict().get("id")
        return f"{identifier['authority']}:{identifier['code']}" if identifier else None

    @property
    def label(self) -> str:
        name = self.crs.name if self.code else f"{self.crs.name}, datum {_datum_name(self.crs)}"
        label = f"{self.code or 'WKT'} ({name})"
        return f"{label}, x ↔ y" if self.swapped else label


def parse_crs(text: str) -> SourceCrs:
    """The CRS of `EPSG:9208`, WKT or PROJ text; `EPSG:9208:yx`: x and y are exchanged.

    Raises BadInput for text that names no CRS.
    """
    definition = text.strip()
    swapped = definition.endswith(_SWAPPED)
    try:
        return SourceCrs(CRS.from_user_input(definition.removesuffix(_SWAPPED)), swapped)
    except CRSError:
        raise BadInput(
            f"không biết hệ tọa độ “{text[:80]}”; hãy ghi mã như EPSG:9208 / "
            f"unknown CRS “{text[:80]}”; write its code, such as EPSG:9208"
        ) from None


def to_wgs84(x: ArrayLike, y: ArrayLike, crs: SourceCrs | str) -> tuple[Floats, Floats]:
    """Longitude and latitude in degrees, WGS 84, of easting (or longitude) x and northing y.

    NaN where there is no x or y, or where they cannot be coordinates of that CRS. Raises BadInput
    for a CRS that is unknown or from which no exact way to WGS 84 is known.
    """
    source = parse_crs(crs) if isinstance(crs, str) else crs
    refuse_inexact(source)
    return transform_points(np.asarray(x, np.float64), np.asarray(y, np.float64), source)


def refuse_inexact(source: SourceCrs, area: BBox | None = None) -> None:
    """Raises BadInput for a CRS that has no exact transformation to WGS 84 in `area`.

    PROJ's ballpark transformation ignores the datum and is hundreds of metres off.
    """
    if "Hanoi" in _datum_name(source.crs):
        raise BadInput(_HANOI_72.format(source.label))
    if is_exact(source, area):
        return
    raise BadInput(
        f"không có phép chuyển chính xác từ {source.label} sang WGS 84; hãy chuyển dữ liệu sang "
        "VN-2000 hoặc WGS 84 trước / "
        f"no exact transformation from {source.label} to WGS 84 is known; transform the data to "
        "VN-2000 or WGS 84 first"
    )


def is_exact(source: SourceCrs, area: BBox | None = None) -> bool:
    """True for a CRS that has an exact transformation to WGS 84 in `area`."""
    return _transformer(source.crs, _area_of_interest(source.crs, area)) is not None


def mislabelled_vn2000(crs: CRS) -> SourceCrs | None:
    """The VN-2000 system whose projection or name a CRS has without its datum, else None."""
    if not crs.is_projected or _has_vn2000_datum(crs):
        return None
    shape = projection(crs)
    has_name = _VN_2000_NAME.search(crs.name) is not None
    for text in (*TM3, *UTM[:2]):
        same = projection(CRS.from_user_input(text)) == shape
        if same and (has_name or shape.scale == 0.9999):
            return parse_crs(text)
    return None


def transform_points(x: Floats, y: Floats, source: SourceCrs) -> tuple[Floats, Floats]:
    """Longitudes and latitudes as of `to_wgs84`, exact or not: for a CRS that is only tried."""
    transformer = _transformer(source.crs) or Transformer.from_crs(
        source.crs, "EPSG:4326", always_xy=True
    )
    east, north = (y, x) if source.swapped else (x, y)
    lon, lat = transformer.transform(east, north)
    lost = ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))
    return np.where(lost, np.nan, lon), np.where(lost, np.nan, lat)


def projection(crs: CRS) -> Projection:
    """The projection of a CRS; of one with `towgs84`, that of the CRS beneath."""
    base = crs.source_crs if crs.is_bound else crs
    operation = base.coordinate_operation if base is not None else None
    values = (
        {parameter.name: parameter.value for parameter in operation.params}
        if operation is not None
        else {}
    )
    return Projection(
        round(float(values.get("Longitude of natural origin", -1)), 6),
        round(float(values.get("Scale factor at natural origin", -1)), 9),
        round(float(values.get("False easting", -1)), 3),
    )


def area_of_use(crs: CRS) -> AreaOfUse | None:
    """The area for which a CRS is made; of one without a code, that of the code that it equals."""
    code = crs.to_epsg(min_confidence=70)
    area = crs.area_of_use or (CRS.from_epsg(code).area_of_use if code else None)
    return None if area is None else AreaOfUse(*area.bounds, name=area.name)


def siblings(crs: CRS) -> list[str]:
    """Codes of the same projection in other units, such as feet: their names differ in that."""
    code = crs.to_epsg(min_confidence=70)
    name = _UNIT_IN_NAME.sub("", CRS.from_epsg(code).name if code else crs.name)
    known = query_crs_info(auth_name="EPSG", pj_types=PJType.PROJECTED_CRS)
    return [f"EPSG:{each.code}" for each in known if _UNIT_IN_NAME.sub("", each.name) == name]


def _datum_name(crs: CRS) -> str:
    base = crs.geodetic_crs
    return base.datum.name if base is not None and base.datum is not None else "?"


def _has_vn2000_datum(crs: CRS) -> bool:
    if crs.is_bound:
        operation = crs.coordinate_operation
        return operation is not None and any(operation.towgs84)
    return _datum_name(crs) == _VN_2000


@lru_cache(maxsize=128)
def _transformer(crs: CRS, area: AreaOfInterest | None = None) -> Transformer | None:
    """The exact transformation to WGS 84; None when there is only a ballpark one."""
    try:
        return Transformer.from_crs(
            crs, "EPSG:4326", always_xy=True, area_of_interest=area, allow_ballpark=False
        )
    except ProjError:
        return None


def _area_of_interest(crs: CRS, area: BBox | None) -> AreaOfInterest | None:
    """The area, None where the CRS is not made for it: then its own area of use counts."""
    use = crs.area_of_use
    if area is None or use is None:
        return None
    apart = use.east < area.west or use.west > area.east
    if apart or use.north < area.south or use.south > area.north:
        return None
    return AreaOfInterest(*area.as_list())


_HANOI_72 = (
    "không nhận {0}: từ Hà Nội-72 không có phép chuyển chính xác nào sang WGS 84 ở đây, chỉ có "
    "phép gần đúng lệch hàng trăm mét; hãy chuyển dữ liệu sang VN-2000 bằng tham số chính thức / "
    "{0} is not accepted: no exact transformation from Hanoi 1972 to WGS 84 is known here, only a "
    "ballpark one, hundreds of metres off; transform the data to VN-2000 with the official "
    "parameters"
)
