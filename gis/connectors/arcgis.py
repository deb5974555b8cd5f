"""Connector of ArcGIS feature layers (FeatureServer and MapServer of the ArcGIS REST API).

Pages by offset double or drop features where the server does not sort, and stop at a number that
each server sets. So the numbers of all features are asked for first, and then the features by
ranges of them: what comes is held against what was promised.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from pydantic import Field

from gis.connectors.connector import GEOMETRY, Batch, Cursor, Record
from gis.connectors.documents import expecting, json_document
from gis.connectors.esri_geometry import geojson_from_esri
from gis.connectors.templates import member
from gis.connectors.web import WebConnector, WebOptions, without_none
from gis.errors import BadFile, SourceRefused, SourceUnavailable

_USUAL_PAGE = 1_000  # features, of a server that does not say how many it gives
_MOST_PAGE = 2_000
_OVERLAP = timedelta(minutes=10)  # edits that were under way when the last reading ended
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_000  # of the years 1 to 9999
_NO_TIME = -(2**63)  # of NumPy: NaT
_LOGIN_CODES = frozenset({401, 403, 498, 499})


class ArcgisOptions(WebOptions):
    """Options of `connector: arcgis`; `url` is that of a layer, such as …/FeatureServer/0."""

    where: str = Field("1=1", description="Condition in the SQL of the server")
    fields: list[str] = Field(["*"], min_length=1, description="Names of the fields to read")
    token: str | None = Field(None, description="Token of the server, `{secret:NAME}`")
    changes_only: bool = Field(
        False,
        description="After the first reading, only what was edited since, where the layer tracks "
        "it; what was deleted is then not seen",
    )
    page: int = Field(_MOST_PAGE, ge=1, le=10_000, description="Most features of one request")


@dataclass(frozen=True, slots=True)
class _Layer:
    """What a layer says of itself."""

    object_id: str
    dates: frozenset[str]  # fields in milliseconds of the epoch
    edited: str | None  # the field of the last edit
    page: int


class ArcgisConnector(WebConnector[ArcgisOptions]):
    """Features by ranges of their OBJECTID: attributes, and `geometry` as GeoJSON in WGS 84.

    Times of the epoch become ISO 8601 in UTC.
    """

    name = "arcgis"
    label = "ArcGIS feature layer (FeatureServer or MapServer)"
    Options = ArcgisOptions

    def read(self, cursor: Cursor) -> Iterator[Batch]:
        layer = self._layer()
        since, is_change = cursor.get("since"), False
        where = f"({self.options.where})"
        if self.options.changes_only and layer.edited and since:
            moment = datetime.fromisoformat(since) - _OVERLAP
            where += f" AND {layer.edited} >= TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S}'"
            is_change = True
        numbers = self._object_ids(where)
        after = cursor.get("after")
        left = [number for number in numbers if after is None or number > after]
        newest = cursor.get("newest") or since
        is_whole = not is_change and (bool(numbers) or self.options.may_be_empty)
        if not left:
            if not is_change or newest != since:
                yield Batch((), without_none({"since": newest}), ends_whole=is_whole)
            return
        pages = [left[start : start + layer.page] for start in range(0, len(left), layer.page)]
        for wanted, features in zip(pages, self._read_ahead(layer, where, pages), strict=True):
            records, latest = _records(layer, features)
            newest = max(filter(None, (newest, latest)), default=None)
            if wanted is pages[-1]:
                yield Batch(records, without_none({"since": newest}), ends_whole=is_whole)
                return
            place = {"after": wanted[-1], "newest": newest, "since": since}
            yield Batch(
                records, {name: value for name, value in place.items() if value is not None}
            )

    def _read_ahead(
        self, layer: _Layer, where: str, pages: Sequence[Sequence[int]]
    ) -> Iterator[list[dict[str, Any]]]:
        """The features of each page, of which the next is asked for while the last is stored."""
        with ThreadPoolExecutor(1, "arcgis") as reader:
            page = reader.submit(self._features, layer, where, pages[0])
            for following in pages[1:]:
                features = page.result()
                page = reader.submit(self._features, layer, where, following)
                yield features
            yield page.result()

    @expecting("an ArcGIS layer")
    def _layer(self) -> _Layer:
        """The layer by its own description. Raises BadFile where it is none."""
        about = self._asked(self.url, {})
        fields = about.get("fields") or []
        names = {field["name"]: field.get("type", "") for field in fields if "name" in field}
        object_id = about.get("objectIdField") or next(
            (name for name, kind in names.items() if kind == "esriFieldTypeOID"), None
        )
        if not object_id:
            raise BadFile(
                "the address is no layer with features: it ends in the number of one, such as "
                "…/FeatureServer/0"
            )
        return _Layer(
            object_id,
            frozenset(name for name, kind in names.items() if kind == "esriFieldTypeDate"),
            member(about, "editFieldsInfo.editDateField"),
            max(1, min(self.options.page, int(about.get("maxRecordCount") or _USUAL_PAGE))),
        )

    @expecting("an ArcGIS layer")
    def _object_ids(self, where: str) -> list[int]:
        said = self._asked(f"{self.url}/query", {"where": where, "returnIdsOnly": "true"})
        if "objectIds" not in said:
            raise BadFile("the answer has no objectIds: the server is no ArcGIS layer any more")
        return sorted({int(number) for number in said["objectIds"] or ()})

    @expecting("an ArcGIS layer")
    def _features(self, layer: _Layer, where: str, wanted: Sequence[int]) -> list[dict[str, Any]]:
        """The features of a range of numbers, in halves where the server gives fewer at a time.

        Raises SourceUnavailable where numbers that the server named do not come and are there
        all the same.
        """
        low, high = wanted[0], wanted[-1]
        fields = self.options.fields
        if "*" not in fields:
            fields = list(dict.fromkeys([layer.object_id, *filter(None, [layer.edited]), *fields]))
        said = self._asked(
            f"{self.url}/query",
            {
                "where": f"{where} AND {layer.object_id} >= {low} AND {layer.object_id} <= {high}",
                "outFields": ",".join(fields),
                "returnGeometry": "true",
                "outSR": "4326",
                "orderByFields": layer.object_id,
            },
        )
        features = said.get("features")
        if not isinstance(features, list):
            raise BadFile("the answer has no features: the server is no ArcGIS layer any more")
        if said.get("exceededTransferLimit") and len(wanted) > 1:
            middle = len(wanted) // 2
            first = self._features(layer, where, wanted[:middle])
            return first + self._features(layer, where, wanted[middle:])
        found: dict[int, dict[str, Any]] = {}
        for feature in features:
            number = (feature.get("attributes") or {}).get(layer.object_id)
            if not isinstance(number, int):
                raise BadFile(f"a feature has no {layer.object_id}, which the layer promises")
            found[number] = feature
        missing = [number for number in wanted if number not in found]
        if missing and set(missing) & set(self._object_ids(where)):
            raise SourceUnavailable(
                f"the server named {len(wanted)} features and gave {len(found)} of them"
            )
        return [found[number] for number in sorted(found)]

    def _asked(self, url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
        """The answer to a query by POST, as conditions grow long.

        Raises SourceRefused or SourceUnavailable for the faults that come with status 200.
        """
        sent = {"f": "json", **form}
        if self.options.token:
            sent["token"] = self.values.filled(self.options.token)
        with self.client.answer(self.form_request(url, sent)) as answer:
            said = json_document(answer)
        if not isinstance(said, Mapping):
            raise BadFile("the answer is no object of JSON: the server is no ArcGIS layer any more")
        error = said.get("error")
        if error is None:
            return said
        code = member(error, "code")
        words = self.redactor.quote(f"{member(error, 'message')} {member(error, 'details') or ''}")
        if isinstance(code, int) and code in _LOGIN_CODES:
            raise SourceRefused(
                f"the server answered {code}: renew the token or the login: {words}"
            )
        if isinstance(code, int) and code >= 500:
            raise SourceUnavailable(f"the server answered {code}: {words}")
        raise SourceRefused(f"the server does not take the request ({code}): {words}")


@expecting("an ArcGIS layer")
def _records(
    layer: _Layer, features: Sequence[dict[str, Any]]
) -> tuple[Sequence[Record], str | None]:
    """Attributes with times in ISO 8601, and geometries; and the latest edit.

    The features are used up.
    """
    records: list[dict[str, Any]] = [feature["attributes"] for feature in features]
    for name in layer.dates:
        for record, moment in zip(
            records, _iso_times([record.get(name) for record in records]), strict=True
        ):
            if moment is not None:
                record[name] = moment
    for record, feature in zip(records, features, strict=True):
        shape = feature.get("geometry")
        record[GEOMETRY] = geojson_from_esri(shape) if shape else None
    if layer.edited is None:
        return records, None
    edits = (record.get(layer.edited) for record in records)
    return records, max((str(edit) for edit in edits if edit), default=None)


def _iso_times(values: Sequence[Any]) -> list[str | None]:
    """Milliseconds of the epoch in ISO 8601, UTC; None for what is no time of a year there is."""
    whole = np.array(
        [
            value // 1000
            if isinstance(value, int) and not value % 1000 and _FIRST_MS <= value <= _LAST_MS
            else _NO_TIME
            for value in values
        ],
        "datetime64[s]",
    )
    texts = np.datetime_as_string(whole, "s").tolist()
    return [
        _iso_time(value) if text == "NaT" else f"{text}+00:00"
        for value, text in zip(values, texts, strict=True)
    ]


def _iso_time(value: Any) -> str | None:
    """As `_iso_times`, of one that has a part of a second, or is none."""
    if not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value / 1000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None  # the number stays
