"""Connector of WFS 1.1 and 2.0: the features of one type, as GeoJSON or GML.

Servers disagree on the order of axes, whatever was asked for: GML is read by what it names, and
coordinates are then held against the extent that the server declares, longitude first in all
versions. Pages without an order double and drop features, so pages need a column to sort by.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import Field

from gis.connectors.connector import GEOMETRY, Batch, Cursor
from gis.connectors.documents import json_document, refuse_html
from gis.connectors.http_client import SourceAnswer, SourceRequest
from gis.connectors.web import WebConnector, WebOptions, in_batches
from gis.errors import BadFile, SourceRefused, SourceUnavailable
from gis.intake.confined import run_confined
from gis.intake.geo_child import read_by_gdal
from gis.intake.xml_prolog import root_element
from gis.values import BBox

_WGS84 = "urn:ogc:def:crs:EPSG::4326"
_CODE = re.compile(r"(?:EPSG|CRS84).*?(\d+|CRS84)\s*$", re.I)
_MEMBERS = frozenset({"member", "featureMember", "featureMembers"})
_FAULTS = frozenset({400, 403, 404, 500, 501})  # with which a report may come
# A limit of a server that it does not declare is a round number: an answer with as many features
# may be cut there, so their number is asked for.
_ROUND = 100
_SAMPLE = 500  # geometries by which the order of axes is judged
_MARGIN_DEGREES = 0.5  # extents are often rounded


class WfsOptions(WebOptions):
    """Options of `connector: wfs`."""

    type_name: str = Field(description="Name of the feature type, such as `hientrang:caytrong`")
    version: Literal["2.0.0", "1.1.0"] = Field("2.0.0", description="Version of the protocol")
    format: str | None = Field(
        None, description="Output format; unset: GeoJSON where the server has it, else GML"
    )
    sort_by: str | None = Field(
        None, description="Column of unique values by which pages are sorted; unset: one answer"
    )
    page: int = Field(5_000, ge=1, le=50_000, description="Features of a page")
    query: dict[str, str] = Field({}, description="Further parameters, such as `cql_filter`")


@dataclass(frozen=True, slots=True)
class _FeatureType:
    """What the capabilities say of a type; `extent` in degrees, longitude first."""

    name: str
    crs: str
    extent: BBox | None
    format: str | None  # GeoJSON, by the server's name of it


class WfsConnector(WebConnector[WfsOptions]):
    """Features as their columns, with `feature_id`, and `geometry` in WGS 84, longitude first.

    Columns of GML are texts.
    """

    name = "wfs"
    label = "WFS 1.1 or 2.0 feature type"
    Options = WfsOptions

    def read(self, cursor: Cursor) -> Iterator[Batch]:
        feature_type = self._feature_type()
        start, largest = int(cursor.get("start", 0)), int(cursor.get("largest", 0))
        names: str | None = None
        while True:
            records, matched = self._features(feature_type, start)
            if self.options.sort_by is None:
                yield from self._only(feature_type, records, matched)
                return
            here = orjson.dumps([record["feature_id"] for record in records[:100]]).decode()
            if records and here == names:
                raise SourceRefused("a page came a second time: startIndex is not taken")
            names, place = here, {"start": start, "largest": largest}
            start += len(records)
            # A server may give fewer than were asked for: its largest page says how many it gives.
            is_short = len(records) < largest if matched is None else start >= matched
            if not records or is_short:
                is_whole = (start > 0 or self.options.may_be_empty) and start >= (matched or 0)
                yield from in_batches(records, place, {}, ends_whole=is_whole)
                return
            largest = max(largest, len(records))
            after = {"start": start, "largest": largest}
            yield from in_batches(records, place, after, ends_whole=False)

    def _only(
        self,
        feature_type: _FeatureType,
        records: Sequence[Mapping[str, Any]],
        matched: int | None,
    ) -> Iterator[Batch]:
        """Batches of the only answer. Raises SourceRefused where it has not all features."""
        if matched is None and len(records) % _ROUND == 0:
            matched = self._matched(feature_type)
        if matched is not None and len(records) < matched:
            raise SourceRefused(
                f"the server gives {len(records)} of {matched} features at a time: name a column "
                "of unique values in `sort_by`, so that it is read in pages"
            )
        is_whole = bool(records) or self.options.may_be_empty
        yield from in_batches(records, {}, {}, ends_whole=is_whole)

    def _feature_type(self) -> _FeatureType:
        """The type by the capabilities. Raises SourceRefused where there is none of its name."""
        from lxml import etree

        own = {name: self.values.filled(value) for name, value in self.options.query.items()}
        query = own | {
            "service": "WFS",
            "request": "GetCapabilities",
            "version": self.options.version,
            "acceptversions": self.options.version,
        }
        with self._xml_or_json(self.request(self.url, query)) as answer:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
            try:
                root = etree.parse(answer.file, parser).getroot()
            except etree.XMLSyntaxError as error:
                raise BadFile(f"the capabilities are no valid XML: {error}") from None
        if etree.QName(root).localname != "WFS_Capabilities":
            raise BadFile("the answer is no document of capabilities of a WFS: correct its address")
        if root.get("version") != self.options.version:
            raise SourceRefused(
                f"the server speaks WFS {root.get('version')}, not {self.options.version}: "
                "write its version into `version`"
            )
        types = {
            str(element.findtext("{*}Name", "")).strip(): element
            for element in root.iter("{*}FeatureType")
        }
        wanted = self.options.type_name
        names = [name for name in types if name == wanted or name.endswith(f":{wanted}")]
        if len(names) != 1:
            raise SourceRefused(
                f"the server has {len(names) or 'no'} type{'s' * (len(names) > 1)} {wanted}: it "
                f"has {', '.join(list(types)[:12])[:300] or 'none'}"
            )
        element = types[names[0]]
        return _FeatureType(names[0], _crs(element), _extent(element), _geojson(root))

    def _matched(self, feature_type: _FeatureType) -> int | None:
        """The number of features, where the server tells it."""
        from lxml import etree

        with self._xml_or_json(self._get_feature(feature_type, {"resulttype": "hits"})) as answer:
            try:
                for _, root in etree.iterparse(answer.file, events=("start",)):
                    number = root.get("numberMatched") or root.get("numberOfFeatures") or ""
                    return int(number) if number.isdecimal() else None
            except etree.XMLSyntaxError as error:
                raise BadFile(f"the answer is no valid XML: {error}") from None
        return None

    def _features(
        self, feature_type: _FeatureType, start: int
    ) -> tuple[list[dict[str, Any]], int | None]:
        """The features of a page, and how many match in all, where the answer says it."""
        query = {"srsname": feature_type.crs}
        is_json = "json" in (self.options.format or feature_type.format or "").lower()
        if self.options.format or feature_type.format:
            query["outputformat"] = self.options.format or str(feature_type.format)
        if self.options.sort_by is not None:
            count = "count" if self.options.version == "2.0.0" else "maxfeatures"
            query |= {
                "sortby": self.options.sort_by,
                "startindex": str(start),
                count: str(self.options.page),
            }
        with self._xml_or_json(self._get_feature(feature_type, query)) as answer:
            records, crs, matched = _from_json(answer) if is_json else self._from_gml(answer)
        return _placed(records, crs or feature_type.crs, feature_type.extent), matched

    def _get_feature(self, feature_type: _FeatureType, query: dict[str, str]) -> SourceRequest:
        names = "typenames" if self.options.version == "2.0.0" else "typename"
        own = {name: self.values.filled(value) for name, value in self.options.query.items()}
        usual = {
            "service": "WFS",
            "version": self.options.version,
            "request": "GetFeature",
            names: feature_type.name,
        }
        return self.request(self.url, own | usual | query)

    def _from_gml(
        self, answer: SourceAnswer
    ) -> tuple[list[dict[str, Any]], str | None, int | None]:
        """Records with WKB as geometry, their CRS, and how many match.

        GDAL runs in a child with bounds. Raises BadFile.
        """
        count, matched = _members(answer)
        if not count:
            return [], None, matched
        with tempfile.NamedTemporaryFile(suffix=".gml") as file:
            answer.file.seek(0)
            while chunk := answer.file.read(2**20):
                file.write(chunk)
            file.flush()
            table = run_confined(read_by_gdal, file.name, "data", None, {}, size=answer.size)
        if table["rows"] not in (0, count):
            raise BadFile(f"of {count} features of the answer {table['rows']} could be read")
        columns = ["feature_id" if name == "gml_id" else name for name in table["columns"]]
        shapes = table["wkb"] or [None] * len(table["cells"][0] if columns else ())
        records = [
            {"feature_id": None, **dict(zip(columns, cells, strict=True)), GEOMETRY: shape}
            for *cells, shape in zip(*table["cells"], shapes, strict=True)
        ]
        return records, table["crs"], matched

    @contextmanager
    def _xml_or_json(self, request: SourceRequest) -> Iterator[SourceAnswer]:
        """An answer that is no report of a fault, which may come with status 200.

        Raises SourceRefused and SourceUnavailable with the words of the report, BadFile for an
        answer that is neither.
        """
        from lxml import etree

        with self.client.answer(request, _FAULTS) as answer:
            head = answer.head().lstrip()
            if answer.status == 200:
                refuse_html(answer, "XML or JSON of a WFS")
                if not head:
                    raise BadFile("the answer is empty, where XML or JSON was expected")
            if head.startswith(b"<") and (answer.status == 200 or b"ExceptionReport" in head):
                name = root_element(answer.file)
                answer.file.seek(0)
                if name in ("ExceptionReport", "ServiceExceptionReport"):
                    words = etree.parse(answer.file).getroot().itertext()
                    said = self.redactor.quote(" ".join(map(str, words)))
                    kind = SourceRefused if answer.status < 500 else SourceUnavailable
                    raise kind(f"the server does not take the request: {said}")
            if answer.status != 200:
                raise self.client.failure(answer)
            yield answer


def _crs(element: Any) -> str:
    """WGS 84 where the server has it, else the CRS of the type."""
    names = [
        str(each.text).strip()
        for tag in ("DefaultCRS", "DefaultSRS", "OtherCRS", "OtherSRS")
        for each in element.iter(f"{{*}}{tag}")
    ]
    for name in names:
        if (code := _CODE.search(name)) and code[1] == "4326":
            return name if name.startswith("urn:") else _WGS84
    return names[0] if names else _WGS84


def _extent(element: Any) -> BBox | None:
    corners = [element.findtext(f".//{{*}}{name}") for name in ("LowerCorner", "UpperCorner")]
    try:
        (west, south), (east, north) = (tuple(map(float, str(c).split())) for c in corners)
    except ValueError:
        return None
    return BBox(west, south, east, north)


def _geojson(root: Any) -> str | None:
    """The name of GeoJSON among the output formats of GetFeature."""
    for parameter in root.iter("{*}Parameter"):
        if str(parameter.get("name", "")).lower() == "outputformat":
            for value in parameter.iter("{*}Value"):
                if "json" in str(value.text).lower() and "callback" not in str(value.text).lower():
                    return str(value.text).strip()
    return None


def _from_json(answer: SourceAnswer) -> tuple[list[dict[str, Any]], str | None, int | None]:
    document = json_document(answer)
    if not isinstance(document, Mapping) or not isinstance(document.get("features"), list):
        raise BadFile("the answer is no FeatureCollection of GeoJSON")
    records = [
        {
            **(feature.get("properties") or {}),
            "feature_id": feature.get("id"),
            GEOMETRY: feature.get("geometry"),
        }
        for feature in document["features"]
    ]
    declared = document.get("crs")
    name = declared["properties"].get("name") if isinstance(declared, Mapping) else _WGS84
    matched = document.get("numberMatched", document.get("totalFeatures"))
    total = matched if isinstance(matched, int) and matched >= len(records) else None
    return records, str(name) if name else _WGS84, total


def _members(answer: SourceAnswer) -> tuple[int, int | None]:
    """The number of features of a document of GML, and of those that match in all.

    Raises BadFile where it is cut or no XML.

    GDAL gives the features before a fault, and says nothing.
    """
    from lxml import etree

    answer.file.seek(0)
    count = 0
    try:
        document = etree.iterparse(answer.file, events=("end",), huge_tree=False)
        for _, element in document:
            parent = element.getparent()
            if parent is not None and etree.QName(parent).localname in _MEMBERS:
                count += 1
                element.clear()
    except etree.XMLSyntaxError as error:
        raise BadFile(f"the answer is no valid XML: {error}") from None
    number = str(document.root.get("numberMatched", ""))
    return count, int(number) if number.isdecimal() else None


def _placed(records: list[dict[str, Any]], crs: str, extent: BBox | None) -> list[dict[str, Any]]:
    """Records whose geometries are GeoJSON in WGS 84, longitude first."""
    import numpy as np
    import shapely

    at = [number for number, record in enumerate(records) if record[GEOMETRY] is not None]
    if not at:
        return records
    is_json = not isinstance(records[at[0]][GEOMETRY], bytes)

    def shapes_of(rows: Sequence[int]) -> Any:
        raw = [records[row][GEOMETRY] for row in rows]
        try:
            if is_json:
                return shapely.from_geojson([orjson.dumps(shape) for shape in raw])
            return shapely.from_wkb(raw)
        except (shapely.errors.ShapelyError, orjson.JSONEncodeError, TypeError) as error:
            raise BadFile(f"a geometry of the answer cannot be read: {error}") from None

    to_wgs84 = None if _is_wgs84(crs) else _to_wgs84(crs)
    sample = shapes_of(at[:: max(len(at) // _SAMPLE, 1)])
    if to_wgs84 is not None:
        sample = shapely.transform(sample, to_wgs84, interleaved=False)
    bounds = shapely.bounds(sample)
    is_swapped = extent is not None and _is_swapped(bounds[~np.isnan(bounds).any(axis=1)], extent)
    if is_json and to_wgs84 is None and not is_swapped:
        return records
    shapes = shapely.force_2d(shapes_of(at))
    if to_wgs84 is not None:
        shapes = shapely.transform(shapes, to_wgs84, interleaved=False)
    if is_swapped:
        shapes = shapely.transform(shapes, lambda x, y: (y, x), interleaved=False)
    for number, text in zip(at, shapely.to_geojson(shapes), strict=True):
        records[number][GEOMETRY] = orjson.loads(text)
    return records


def _is_wgs84(crs: str) -> bool:
    code = _CODE.search(crs)
    return code is not None and code[1].upper() in ("4326", "CRS84")


def _to_wgs84(crs: str) -> Any:
    """A transformation of x and y. Raises BadFile for a CRS that PROJ does not know."""
    from pyproj import Transformer
    from pyproj.exceptions import CRSError, ProjError

    code = _CODE.search(crs)
    try:
        transformer = Transformer.from_crs(
            f"EPSG:{code[1]}" if code else crs, "EPSG:4326", always_xy=True
        )
    except (CRSError, ProjError):
        raise BadFile(f"the coordinates are in {crs[:100]!r}, which is no known CRS") from None
    return transformer.transform


def _is_swapped(bounds: Any, extent: BBox) -> bool:
    """True where the shapes are outside of the extent and would lie within with axes swapped."""
    west, south = extent.west - _MARGIN_DEGREES, extent.south - _MARGIN_DEGREES
    east, north = extent.east + _MARGIN_DEGREES, extent.north + _MARGIN_DEGREES
    low_x, low_y, high_x, high_y = bounds.T
    inside = (low_x >= west) & (low_y >= south) & (high_x <= east) & (high_y <= north)
    turned = (low_y >= west) & (low_x >= south) & (high_y <= east) & (high_x <= north)
    return bool(turned.sum() > inside.sum())
