"""Simulated SensorThings service: rain of some stations, an observation an hour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode

from api.demo_sources.feeds import SIMULATED
from api.demo_sources.server import DemoAnswer, DemoPage, DemoRequest, json_answer
from gis.clock import HERE

ROOT = "/sta/v1.1"
_STATIONS = (
    ("Sa Pa", 103.844, 22.3364),
    ("Bảo Yên", 104.483, 22.234),
    ("Bắc Hà", 104.2917, 22.5386),
)


_FIRST_HOUR = datetime(2025, 9, 1, tzinfo=HERE)


def hourly_rain(hours: int, until: datetime | None = None) -> list[dict[str, Any]]:
    """Observations of so many hours, with their stream and its station.

    They end with the hour of `until`; unset: they begin on 1 September 2025.
    """
    begun = 0 if until is None else (until - _FIRST_HOUR) // timedelta(hours=1) + 1 - hours
    observations = []
    for number in range(begun * len(_STATIONS), (begun + hours) * len(_STATIONS)):
        hour, station = divmod(number, len(_STATIONS))
        name, lon, lat = _STATIONS[station]
        moment = _FIRST_HOUR + timedelta(hours=hour)
        before = moment - timedelta(hours=1)
        point = {"type": "Point", "coordinates": [lon, lat]}
        observations.append(
            {
                "@iot.id": number + 1,
                "phenomenonTime": f"{before.isoformat()}/{moment.isoformat()}",
                "resultTime": moment.isoformat(),
                "result": round(Random(number).expovariate(1 / 3), 1),
                "parameters": {"note": SIMULATED},
                "Datastream": {
                    "@iot.id": station + 1,
                    "unitOfMeasurement": {"symbol": "mm"},
                    "Thing": {"name": name, "Locations": [{"location": point}]},
                },
            }
        )
    return observations


@dataclass
class DemoSensorThings:
    """A service at ROOT that understands what the connector asks for."""

    observations: Sequence[Mapping[str, Any]] = field(default_factory=lambda: hourly_rain(40))

    def pages(self) -> dict[str, DemoPage]:
        return {f"{ROOT}/Observations": self.answer}

    def answer(self, request: DemoRequest) -> DemoAnswer:
        query = request.query
        skip, top = int(query.get("$skip", 0)), int(query.get("$top", 100))
        condition = query.get("$filter", "").strip("()")
        found = [each for each in self.observations if _fits(each, condition)]
        page = [
            {k: v for k, v in each.items() if k != "Datastream" or "$expand" in query}
            for each in found[skip : skip + top]
        ]
        said: dict[str, Any] = {"value": page, "@iot.count": len(found)}
        if skip + top < len(found):
            following = urlencode({**query, "$skip": skip + top})
            said["@iot.nextLink"] = f"{request.base}{request.path}?{following}"
        return json_answer(said)


def _fits(observation: Mapping[str, Any], condition: str) -> bool:
    name, _, moment = condition.partition(" ge ")
    return not moment or str(observation[name]).rpartition("/")[2] >= moment
