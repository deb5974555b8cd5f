"""Simulated ArcGIS server: health facilities as a feature layer, with the habits of real servers.

It gives at most `page` features, unsorted unless asked to sort, and its faults with status 200.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from api.demo_sources.feeds import PLACES, SIMULATED
from api.demo_sources.server import DemoAnswer, DemoPage, DemoRequest, json_answer

LAYER = "/arcgis/rest/services/YTe/FeatureServer/0"
_FIELDS = (
    ("OBJECTID", "esriFieldTypeOID"),
    ("TEN", "esriFieldTypeString"),
    ("LOAI", "esriFieldTypeString"),
    ("SO_GIUONG", "esriFieldTypeInteger"),
    ("NGAY_TL", "esriFieldTypeDate"),
    ("last_edited_date", "esriFieldTypeDate"),
    ("GHI_CHU", "esriFieldTypeString"),
)
_STEP_S = 600
_RANGE = re.compile(r"OBJECTID >= (\d+) AND OBJECTID <= (\d+)")
_SINCE = re.compile(r"last_edited_date >= TIMESTAMP '([\d :-]+)'")


def health_facilities(count: int) -> list[dict[str, Any]]:
    """Features of Esri JSON whose OBJECTIDs have gaps, edited a day apart since 1 July 2025."""
    features = []
    for index in range(count):
        draw = Random(index)
        attributes = {
            "OBJECTID": 1 + index * 2,
            "TEN": f"Trạm y tế {index + 1}",
            "LOAI": draw.choice(("Trạm y tế", "Bệnh viện", "Phòng khám")),
            "SO_GIUONG": draw.randrange(5, 300),
            "NGAY_TL": -86_400_000 * draw.randrange(1, 9_000),  # before 1970
            "last_edited_date": 1_751_302_800_000 + index * 86_400_000,
            "GHI_CHU": SIMULATED,
        }
        _, _, lon, lat = draw.choice(PLACES)
        x = round(lon + draw.uniform(-0.02, 0.02), 5)
        y = round(lat + draw.uniform(-0.02, 0.02), 5)
        features.append({"attributes": attributes, "geometry": {"x": x, "y": y}})
    return features


def facilities_of(features: Sequence[dict[str, Any]], moment: datetime) -> list[dict[str, Any]]:
    """The features of a moment: each ten minutes another one is closed, and another one changed."""
    step = int(moment.timestamp()) // _STEP_S
    closed, changed = step % len(features), (step + 1) % len(features)
    attributes = features[changed]["attributes"]
    corrected = attributes | {
        "SO_GIUONG": attributes["SO_GIUONG"] + step % 10 + 1,
        "last_edited_date": step * _STEP_S * 1000,
    }
    now = [*features]
    now[changed] = features[changed] | {"attributes": corrected}
    return now[:closed] + now[closed + 1 :]


@dataclass
class DemoArcgis:
    """A feature layer at LAYER; with a `token`, for those alone who send it."""

    features: Sequence[Mapping[str, Any]] = field(default_factory=lambda: health_facilities(120))
    page: int = 50
    token: str | None = None

    def pages(self) -> dict[str, DemoPage]:
        return {LAYER: self.answer}

    def answer(self, request: DemoRequest) -> DemoAnswer:
        asked = {**request.query, **request.form}
        if self.token is not None and asked.get("token") != self.token:
            return _fault(498, "Invalid token.")
        if request.path == LAYER:
            return json_answer(self._description())
        if request.path != f"{LAYER}/query":
            return _fault(400, "Invalid URL")
        where = asked.get("where", "")
        if where.count("(") != where.count(")"):
            return _fault(400, "'where' parameter is invalid")
        found = [each for each in self.features if _fits(each["attributes"], where)]
        if asked.get("returnIdsOnly") == "true":
            numbers = [each["attributes"]["OBJECTID"] for each in found]
            return json_answer({"objectIdFieldName": "OBJECTID", "objectIds": numbers[::-1]})
        if "OBJECTID" not in asked.get("orderByFields", ""):
            Random(0).shuffle(found)
        said: dict[str, Any] = {"features": found[: self.page], "objectIdFieldName": "OBJECTID"}
        if len(found) > self.page:
            said["exceededTransferLimit"] = True
        return json_answer(said)

    def _description(self) -> dict[str, Any]:
        return {
            "name": "Cơ sở y tế",
            "type": "Feature Layer",
            "geometryType": "esriGeometryPoint",
            "maxRecordCount": self.page,
            "objectIdField": "OBJECTID",
            "editFieldsInfo": {"editDateField": "last_edited_date"},
            "fields": [{"name": name, "type": kind} for name, kind in _FIELDS],
        }


def _fits(attributes: Mapping[str, Any], where: str) -> bool:
    """The conditions that the connector writes."""
    span, since = _RANGE.search(where), _SINCE.search(where)
    if span and not int(span[1]) <= attributes["OBJECTID"] <= int(span[2]):
        return False
    if not since:
        return True
    moment = datetime.fromisoformat(since[1]).replace(tzinfo=UTC).timestamp() * 1000
    return bool(attributes["last_edited_date"] >= moment)


def _fault(code: int, message: str) -> DemoAnswer:
    return json_answer({"error": {"code": code, "message": message, "details": []}})
