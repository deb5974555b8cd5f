"""Connector of OGC API Features: the items of a collection, page by page along `next` links."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from gis.connectors.connector import GEOMETRY, Batch, Cursor, Record
from gis.connectors.documents import expecting, json_document
from gis.connectors.http_client import SourceRequest
from gis.connectors.templates import member
from gis.connectors.web import LinkedPage, WebConnector, WebOptions, read_linked
from gis.errors import BadFile, SourceRefused

_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


class OgcFeaturesOptions(WebOptions):
    """Options of `connector: ogc_features`; `url` is that of a collection: …/collections/name."""

    limit: int = Field(1_000, ge=1, le=10_000, description="Most features of a page")
    query: dict[str, str] = Field(
        {}, description="Further parameters, such as `filter` or the value of a property"
    )
    changed: str | None = Field(
        None,
        description="Property by whose time the server filters with `datetime`: after the first "
        "reading only what is as new as the newest is read",
    )


class OgcFeaturesConnector(WebConnector[OgcFeaturesOptions]):
    """Features as their properties, with `feature_id`, and `geometry` in CRS84."""

    name = "ogc_features"
    label = "OGC API Features collection"
    Options = OgcFeaturesOptions

    def read(self, cursor: Cursor) -> Iterator[Batch]:
        query = {name: self.values.filled(value) for name, value in self.options.query.items()}
        query |= {"limit": str(self.options.limit)}
        changed = self.options.changed
        if changed and cursor.get("since"):
            query["datetime"] = f"{cursor['since']}/.."
        first = self.request(f"{self.url.removesuffix('/items').rstrip('/')}/items", query).url
        time_of = None if changed is None else lambda record: record.get(changed)
        yield from read_linked(self, cursor, first, self._page, time_of)

    @expecting("an OGC API")
    def _page(self, url: str) -> LinkedPage:
        """A page. Raises BadFile for what is no FeatureCollection, SourceRefused in another CRS."""
        headers = {"Accept": "application/geo+json, application/json;q=0.9"} | self.headers
        with self.client.answer(SourceRequest(url, headers=headers)) as answer:
            crs = answer.headers.get("content-crs", f"<{_CRS84}>").strip("<> ")
            page = json_document(answer)
        if not isinstance(page, Mapping) or not isinstance(page.get("features"), list):
            raise BadFile(
                "the answer is no FeatureCollection: correct the address of the collection"
            )
        if not crs.endswith("CRS84") and not crs.endswith("CRS84h"):
            raise SourceRefused(f"the server gives coordinates in {crs[:100]}, not in CRS84")
        records = [_record(feature) for feature in page["features"]]
        links = page.get("links") or ()
        following = (member(link, "href") for link in links if member(link, "rel") == "next")
        matched = page.get("numberMatched")
        names = str([record["feature_id"] or record for record in records])
        total = matched if isinstance(matched, int) else None
        return LinkedPage(records, next(following, None), total, names)


def _record(feature: Any) -> Record:
    if not isinstance(feature, Mapping):
        raise BadFile("a feature is no object of JSON")
    properties = feature.get("properties") or {}
    return {
        **properties,
        "feature_id": feature.get("id"),
        GEOMETRY: feature.get("geometry"),
    }
