"""All simulated sources together, and the layer files that read them."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from api.demo_sources.arcgis import LAYER, DemoArcgis, facilities_of, health_facilities
from api.demo_sources.feeds import CLIENT_SECRET, KEY, DemoFeeds, now
from api.demo_sources.sensorthings import ROOT, DemoSensorThings, hourly_rain
from api.demo_sources.server import DemoAnswer, DemoPage, DemoRequest, json_answer

PORT = 8100
LAYER_FILES = Path(__file__).parent / "layers"
# As GIS_SOURCE_SECRET_<NAME> of the service that reads them.
SECRETS = {"DEMO_LGSP": CLIENT_SECRET, "DEMO_RAIN": KEY}

GOOD_READINGS = 1  # of the border gates, which fail then
FORMER_READINGS = 2  # of the rain stations, which have a column more then
LATE_BY = timedelta(hours=3)  # the river levels, which are promised within two
_HOURS = 48  # of rain that are still to be had
_OUT_OF_ORDER = "<!doctype html><html><body><h1>503 – Hệ thống đang bảo trì</h1></body></html>"


def demo_pages(clock: Callable[[], datetime] = now) -> dict[str, DemoPage]:
    """The pages of all simulated sources, by their paths, on a day without trouble."""
    return DemoFeeds(clock).pages() | DemoArcgis().pages() | DemoSensorThings().pages()


def eventful_pages(clock: Callable[[], datetime] = now) -> dict[str, DemoPage]:
    """The same in life: permits are issued, facilities close and change, a column comes.

    The border gates fail once they were read, and the river levels are late.
    """
    lively, late = DemoFeeds(clock, clock()).pages(), DemoFeeds(lambda: clock() - LATE_BY).pages()
    readings: Counter[str] = Counter()

    def border_gates(request: DemoRequest) -> DemoAnswer:
        readings[request.path] += 1
        if readings[request.path] <= GOOD_READINGS:
            return lively["/border-gates"](request)
        kind = {"Content-Type": "text/html; charset=utf-8"}
        return DemoAnswer(_OUT_OF_ORDER.encode(), 503, kind)

    def rain(request: DemoRequest) -> DemoAnswer:
        answer = lively["/rain"](request)
        readings[request.path] += 1
        if readings[request.path] <= FORMER_READINGS:
            return answer
        records: list[Mapping[str, object]] = json.loads(answer.body)
        return json_answer([{**record, "battery": 12.6} for record in records])

    def facilities(request: DemoRequest) -> DemoAnswer:
        return DemoArcgis(facilities_of(health_facilities(120), clock())).answer(request)

    def hours(request: DemoRequest) -> DemoAnswer:
        return DemoSensorThings(hourly_rain(_HOURS, clock())).answer(request)

    return lively | {
        "/border-gates": border_gates,
        "/rain": rain,
        "/water/levels": late["/water/levels"],
        "/water/detail": late["/water/detail"],
        LAYER: facilities,
        f"{ROOT}/Observations": hours,
    }
