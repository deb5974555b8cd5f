"""What another catalogue needs to know of a layer: its OGC API record, and its DCAT-AP dataset."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.ogc.collection_stats import CollectionStats
from api.ogc.negotiation import Negotiation
from api.ogc.pygeoapi_core import DESCRIPTION, TITLE
from api.ogc.tilesets import MVT
from gis.text import search_key
from layers.definition.model import Audience, Layer, LocalizedText
from layers.definition.raster import RasterLayer
from layers.items import Count
from layers.items.counting import CountKind
from layers.items.formats import FORMATS
from layers.items.query import Box
from layers.rasters import RasterSource

RECORD_CLASS: Final = "http://www.opengis.net/spec/ogcapi-records-1/1.0/req/record-core"
_SPDX = re.compile(r"[A-Za-z0-9.+-]+")
_EU = "http://publications.europa.eu/resource/authority"
_FREQUENCIES = {
    "continuous": "CONT", "hourly": "HOURLY", "daily": "DAILY", "weekly": "WEEKLY",
    "monthly": "MONTHLY", "quarterly": "QUARTERLY", "annual": "ANNUAL", "irregular": "IRREG",
    "never": "NEVER",
}  # fmt: skip
_RIGHTS = {
    Audience.PUBLIC: "PUBLIC", Audience.DEPARTMENT: "RESTRICTED", Audience.PRIVATE: "NON_PUBLIC",
}  # fmt: skip
_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "geo": "http://www.opengis.net/ont/geosparql#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


@dataclass(frozen=True, slots=True)
class CataloguedLayer:
    """A layer, its statistics, and when its rows, its rasters or its file last changed.

    Of a raster layer the statistics count its rasters.
    """

    layer: Layer | RasterLayer
    stats: CollectionStats
    changed_at: datetime
    is_simulated: bool = False

    @property
    def description(self) -> LocalizedText:
        """What it shows, and first whether that is simulated."""
        words = self.layer.description
        if not self.is_simulated:
            return words
        return LocalizedText(vi=f"Dữ liệu mô phỏng. {words.vi}", en=f"Simulated data. {words.en}")

    def has(self, words: Sequence[str]) -> bool:
        """True where each of these words is in its texts, whatever their accents and case."""
        layer = self.layer
        texts = [layer.id, *layer.keywords]
        for text in (layer.title, layer.description, layer.department):
            texts += [text.vi, text.en]
        all_texts = search_key(" ".join(texts))
        return all(search_key(word) in all_texts for word in words)

    def touches(self, box: Box) -> bool:
        """True where its extent and a box in CRS84 have a point in common."""
        if self.stats.bbox is None:
            return False
        west, south, east, north = self.stats.bbox
        return any(
            west <= part.east and part.west <= east and south <= part.north and part.south <= north
            for part in box.parts()
        )

    def is_within(self, begin: datetime | None, end: datetime | None) -> bool:
        """True where its rows and this span have an instant in common."""
        if self.stats.start is None:
            return False
        starts_in_time = end is None or self.stats.start <= end
        return starts_in_time and (
            begin is None or self.stats.end is None or self.stats.end >= begin
        )


def catalogued_raster(source: RasterSource) -> CataloguedLayer:
    """A raster layer as the catalogue has it; one without rasters yet has no place or time."""
    stack = source.stack
    rasters = Count(len(stack.rasters) if stack else 0, CountKind.EXACT)
    box, interval = (stack.box, stack.interval) if stack else (None, None)
    stats = CollectionStats(
        rasters,
        (box.west, box.south, box.east, box.north) if box else None,
        interval.start if interval else None,
        interval.end if interval else None,
    )
    simulated = stack is not None and stack.is_simulated
    return CataloguedLayer(source.layer, stats, source.changed_at, simulated)


def record(catalogued: CataloguedLayer, negotiation: Negotiation) -> dict[str, Any]:
    """The record of a layer (OGC API Records, GeoJSON), in the language asked for."""
    layer, language = catalogued.layer, negotiation.language
    forms = list(_forms(catalogued, negotiation))
    properties: dict[str, Any] = {
        "type": "dataset",
        "title": _in(layer.title, language),
        "description": _in(catalogued.description, language),
        "updated": _instant(catalogued.changed_at),
        "language": {"code": language},
        "languages": [{"code": "vi", "name": "Tiếng Việt"}, {"code": "en", "name": "English"}],
        "keywords": list(layer.keywords),
        "contacts": [{"organization": _in(layer.department, language), "roles": ["custodian"]}],
        "license": layer.licence,
        "rights": f"{layer.classification}; {layer.access.read}",
        "formats": [{"name": name, "mediaType": media} for name, _, media in forms],
        "itemCount": catalogued.stats.count.number,
    }
    if layer.frequency is not None:
        properties["updateFrequency"] = layer.frequency
    if layer.attribution is not None:
        properties["attribution"] = layer.attribution
    here = f"{negotiation.root}/records/collections/layers"
    return {
        "id": layer.id,
        "type": "Feature",
        "conformsTo": [RECORD_CLASS],
        "time": _time(catalogued.stats),
        "geometry": _outline(catalogued.stats),
        "properties": properties,
        "links": [
            _link("self", f"{here}/items/{layer.id}", "application/geo+json", language),
            _link("collection", here, "application/json", language),
            *(_link("item", href, media, language, name) for name, href, media in forms),
        ],
    }


def dcat_catalogue(layers: Sequence[CataloguedLayer], negotiation: Negotiation) -> dict[str, Any]:
    """All layers as a DCAT-AP 3 catalogue in JSON-LD, both languages beside each other."""
    return {
        "@context": _CONTEXT,
        "@id": f"{negotiation.root}/records",
        "@type": "dcat:Catalog",
        "dct:title": [_tagged(TITLE[each], each) for each in ("vi", "en")],
        "dct:description": [_tagged(DESCRIPTION[each], each) for each in ("vi", "en")],
        "dct:publisher": _agent(LocalizedText(vi="Trung tâm điều hành thông minh", en="IOC")),
        "dcat:dataset": [_dataset(each, negotiation) for each in layers],
    }


def _dataset(catalogued: CataloguedLayer, negotiation: Negotiation) -> dict[str, Any]:
    layer, stats = catalogued.layer, catalogued.stats
    dataset: dict[str, Any] = {
        "@id": f"{negotiation.root}/records/collections/layers/items/{layer.id}",
        "@type": "dcat:Dataset",
        "dct:identifier": layer.id,
        "dct:title": _both(layer.title),
        "dct:description": _both(catalogued.description),
        "dct:publisher": _agent(layer.department),
        "dcat:contactPoint": {
            "@type": "vcard:Organization",
            "vcard:fn": _both(layer.department),
        },
        "dct:accessRights": {"@id": f"{_EU}/access-right/{_RIGHTS[layer.access.read]}"},
        "dct:modified": {"@type": "xsd:dateTime", "@value": _instant(catalogued.changed_at)},
        "dcat:keyword": list(layer.keywords),
        "dcat:distribution": [
            {
                "@type": "dcat:Distribution",
                "dct:title": name,
                "dcat:accessURL": {"@id": href},
                "dcat:mediaType": {
                    "@id": f"https://www.iana.org/assignments/media-types/{media.split(';')[0]}"
                },
                "dct:license": _licence(layer.licence),
            }
            for name, href, media in _forms(catalogued, negotiation)
        ],
    }
    if layer.frequency is not None:
        frequency = f"{_EU}/frequency/{_FREQUENCIES[layer.frequency]}"
        dataset["dct:accrualPeriodicity"] = {"@id": frequency}
    if stats.bbox is not None:
        west, south, east, north = stats.bbox
        ring = f"{west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}"
        box = {"@type": "geo:wktLiteral", "@value": f"POLYGON(({ring}))"}
        dataset["dct:spatial"] = {"@type": "dct:Location", "dcat:bbox": box}
    if stats.start is not None:
        period = {"dcat:startDate": stats.start, "dcat:endDate": stats.end}
        dataset["dct:temporal"] = {"@type": "dct:PeriodOfTime"} | {
            name: {"@type": "xsd:dateTime", "@value": _instant(at)}
            for name, at in period.items()
            if at is not None
        }
    return dataset


def _forms(catalogued: CataloguedLayer, negotiation: Negotiation) -> Iterator[tuple[str, str, str]]:
    """Name, address and media type of each form in which a layer is handed out."""
    layer, base = catalogued.layer, negotiation.base
    if isinstance(layer, RasterLayer):
        if catalogued.stats.count.number:
            own = f"{negotiation.root}/rasters/{layer.id}"
            coverage = f"{negotiation.root}/coverages/collections/{layer.id}"
            yield "GeoTIFF", f"{own}/data.tif", "image/tiff"
            yield "OGC API Coverages, EDR", coverage, "application/json"
            if layer.tiles is not None:
                yield "TileJSON (PNG)", f"{own}/tilejson.json", "application/json"
        return
    items = f"{base}/collections/{layer.id}/items?f="
    yield "GeoJSON", f"{items}json", "application/geo+json"
    for each in FORMATS.values():
        yield each.label, f"{items}{each.name}", each.media_type
    if layer.tiles is not None:
        yield "Mapbox Vector Tiles", f"{base}/collections/{layer.id}/tiles", MVT


def _link(
    rel: str, href: str, media: str, language: str, title: str | None = None
) -> dict[str, str]:
    link = {"rel": rel, "href": href, "type": media, "hreflang": language}
    return link | ({"title": title} if title else {})


def _outline(stats: CollectionStats) -> dict[str, Any] | None:
    if stats.bbox is None:
        return None
    west, south, east, north = stats.bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _time(stats: CollectionStats) -> dict[str, Any] | None:
    if stats.start is None:
        return None
    return {"interval": [_instant(stats.start), ".." if stats.end is None else _instant(stats.end)]}


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _in(text: LocalizedText, language: str) -> str:
    return text.vi if language == "vi" else text.en


def _both(text: LocalizedText) -> list[dict[str, str]]:
    return [_tagged(text.vi, "vi"), _tagged(text.en, "en")]


def _tagged(text: str, language: str) -> dict[str, str]:
    return {"@language": language, "@value": text}


def _agent(name: LocalizedText) -> dict[str, Any]:
    return {"@type": "foaf:Agent", "foaf:name": _both(name)}


def _licence(licence: str) -> dict[str, Any]:
    if _SPDX.fullmatch(licence):
        return {"@id": f"https://spdx.org/licenses/{licence}"}
    return {"@type": "dct:LicenseDocument", "rdfs:label": licence}
