"""Patches of pygeoapi's documents: additions and corrections. Each has a test that stock fails.

* titles: stock writes `<` and `>` in data as `&lt;` and `&gt;`;
* links: stock offers processes, tiling schemes, JSON-LD and CSV whether they are there or not, and
  words them in English only;
* extent and itemCount: stock repeats its configuration, whatever the data is;
* sortables: stock has none;
* conformance: stock declares what its own items do, not what ours do.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from api.ogc.collection_stats import CollectionStats
from api.ogc.dggs_documents import CONFORMANCE as DGGS_CONFORMANCE
from api.ogc.dggs_documents import collection_links as zone_links
from api.ogc.dggs_documents import landing_links as landing_zone_links
from api.ogc.negotiation import Negotiation
from api.ogc.processes_documents import CONFORMANCE as PROCESSES_CONFORMANCE
from api.ogc.processes_documents import landing_links as landing_process_links
from api.ogc.pygeoapi_core import DESCRIPTION, TITLE
from api.ogc.tilesets import CONFORMANCE as TILES_CONFORMANCE
from api.ogc.tilesets import collection_links as tile_links
from api.ogc.tilesets import landing_links as landing_tile_links
from layers.definition.model import Layer
from layers.items.formats import FORMATS

OGC_REL = "http://www.opengis.net/def/rel/ogc/1.0"
GEOJSON = "application/geo+json"
SCHEMA = "application/schema+json"
JSON = "application/json"
HTML = "text/html"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"

# Only what a test of ours shows: tests/integration/test_ogc_conformance.py names one for each.
CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/html",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/create-replace-delete",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/update",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/features",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/optimistic-locking-etags",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/sortables",
    "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/core-roles-features",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
    "http://www.opengis.net/spec/cql2/1.0/conf/advanced-comparison-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/case-insensitive-comparison",
    "http://www.opengis.net/spec/cql2/1.0/conf/accent-insensitive-comparison",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions-plus",
    "http://www.opengis.net/spec/cql2/1.0/conf/spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/temporal-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/arithmetic",
    "http://www.opengis.net/spec/cql2/1.0/conf/property-property",
    *TILES_CONFORMANCE,
    *DGGS_CONFORMANCE,
    *PROCESSES_CONFORMANCE,
)
_OURS = (
    "ogcapi-features-",
    "ogcapi-tiles-",
    "ogcapi-dggs-",
    "ogcapi-processes-",
    "cql2",
    "ogcapi-common-3",
)

_WORDS = {
    "self": ("Tài liệu này", "This document"),
    "alternate": ("Tài liệu này ở dạng khác", "This document in another format"),
    "root": ("Trang đầu của dịch vụ", "The landing page"),
    "service-desc": ("Mô tả OpenAPI", "The OpenAPI definition"),
    "service-doc": ("Mô tả OpenAPI cho người đọc", "The OpenAPI definition for people"),
    "conformance": ("Các chuẩn mà dịch vụ tuân theo", "Conformance"),
    "data": ("Danh mục lớp dữ liệu", "Collections"),
    "items": ("Các đối tượng", "Items"),
    "next": ("Trang sau", "Next page"),
    "prev": ("Trang trước", "Previous page"),
    "collection": ("Lớp dữ liệu", "The collection"),
    "license": ("Giấy phép", "Licence"),
    "related": ("Số đo của các trạm", "Measurements of the stations"),
    f"{OGC_REL}/functions": ("Hàm dùng trong bộ lọc", "Functions of filters"),
    f"{OGC_REL}/schema": ("Lược đồ của lớp", "Schema"),
    f"{OGC_REL}/queryables": ("Thuộc tính lọc được", "Queryables"),
    f"{OGC_REL}/sortables": ("Thuộc tính sắp xếp được", "Sortables"),
}
_NAMES = {HTML: "HTML", JSON: "JSON", GEOJSON: "GeoJSON", SCHEMA: "JSON Schema"}


def link(
    rel: str, href: str, media: str, language: str, label: str | None = None
) -> dict[str, str]:
    """A link with its title in the language asked for; `label` names an export format."""
    words = _WORDS[rel][0 if language == "vi" else 1]
    form = label or _NAMES.get(media)
    named = f"{words} ({form})" if form else words
    return {"href": href, "rel": rel, "type": media, "title": named, "hreflang": language}


def documents(negotiation: Negotiation, path: str, media: str = JSON) -> list[dict[str, str]]:
    """The links of a document to itself and to its other format."""
    forms = (("json", media), ("html", HTML))
    return [
        link(
            "self" if negotiation.format == form else "alternate",
            f"{negotiation.base}{path}?f={form}",
            kind,
            negotiation.language,
        )
        for form, kind in forms
    ]


def patch_landing(document: dict[str, Any], negotiation: Negotiation) -> dict[str, Any]:
    language = negotiation.language
    data = [
        link("service-desc", f"{negotiation.base}/openapi?f=json", OPENAPI, language),
        link("service-doc", f"{negotiation.base}/openapi?f=html", HTML, language),
        link("conformance", f"{negotiation.base}/conformance", JSON, language),
        link("data", f"{negotiation.base}/collections", JSON, language),
        link(f"{OGC_REL}/functions", f"{negotiation.base}/functions", JSON, language),
    ]
    tiles_and_zones = [*landing_tile_links(negotiation), *landing_zone_links(negotiation)]
    tiles_and_zones += landing_process_links(negotiation)
    words = {"title": TITLE[language], "description": DESCRIPTION[language]}
    return {**document, **words, "links": [*documents(negotiation, ""), *data, *tiles_and_zones]}


def patch_conformance(document: dict[str, Any]) -> dict[str, Any]:
    kept = (uri for uri in document["conformsTo"] if not any(word in uri for word in _OURS))
    return {"conformsTo": sorted({*kept, *CONFORMANCE})}


def patch_collection(
    document: dict[str, Any], layer: Layer, facts: CollectionStats, negotiation: Negotiation
) -> dict[str, Any]:
    language = negotiation.language
    return {
        **document,
        "title": getattr(layer.title, language),
        "description": getattr(layer.description, language),
        "attribution": layer.attribution or getattr(layer.department, language),
        "license": layer.licence,
        "extent": _extent(facts),
        "itemCount": facts.count.number,
        "links": list(_collection_links(layer, negotiation)),
    }


def patch_collections(
    document: dict[str, Any], collections: list[dict[str, Any]], negotiation: Negotiation
) -> dict[str, Any]:
    return {**document, "links": documents(negotiation, "/collections"), "collections": collections}


def _extent(facts: CollectionStats) -> dict[str, Any]:
    extent: dict[str, Any] = {}
    if facts.bbox is not None:
        crs = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
        extent["spatial"] = {"bbox": [list(facts.bbox)], "crs": crs}
    if facts.start is not None:
        interval = [[_instant(facts.start), _instant(facts.end)]]
        trs = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"
        extent["temporal"] = {"interval": interval, "trs": trs}
    return extent


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def _collection_links(layer: Layer, negotiation: Negotiation) -> Iterable[dict[str, str]]:
    path = f"/collections/{layer.id}"
    here = f"{negotiation.base}{path}"
    yield from documents(negotiation, path)
    yield link("root", negotiation.base, JSON, negotiation.language)
    yield link("items", f"{here}/items?f=json", GEOJSON, negotiation.language)
    yield link("items", f"{here}/items?f=html", HTML, negotiation.language)
    for each in FORMATS.values():
        href = f"{here}/items?f={each.name}"
        yield link("items", href, each.media_type, negotiation.language, each.label)
    if layer.series is not None:
        yield link("related", f"{here}/measurements", JSON, negotiation.language)
    for name in ("schema", "queryables", "sortables"):
        yield link(f"{OGC_REL}/{name}", f"{here}/{name}?f=json", SCHEMA, negotiation.language)
        yield link(f"{OGC_REL}/{name}", f"{here}/{name}?f=html", HTML, negotiation.language)
    yield from tile_links(layer, negotiation)
    yield from zone_links(layer, negotiation)
