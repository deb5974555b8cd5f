"""docs/how-to/departments.md: each layer of the demo answers, counted from its feed."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyproj import Geod

from api.app import create_app
from api.demo_sources.arcgis import health_facilities
from api.demo_sources.feeds import PLACES, DemoFeeds
from api.demo_sources.sensorthings import hourly_rain
from api.demo_sources.server import DemoRequest
from api.demo_sources.simulation import LAYER_FILES, SECRETS, demo_pages
from gis.access import Role, create_key
from gis.clock import HERE
from gis.database.engine import Database
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.sources.run import run_source
from layers.sources.state import enter_sources
from layers.storage.sync import sync
from tests.databases import Server
from tests.integration.connectors.faulty import faulty, surroundings
from tests.integration.connectors.test_demo_layers import layer_at
from tests.integration.ogc_app import serving

NOW = datetime(2026, 3, 2, 3, 7, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
NAMES = sorted(path.stem for path in LAYER_FILES.glob("*.yaml"))
PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "departments.md").read_text("utf-8")
SECTION = re.compile(r"^\*\*(\w+)\*\* – (\d+)\. (.*?)(?=^\*\*|\Z)", re.MULTILINE | re.DOTALL)
REQUEST = re.compile(r"^curl ['\"]http://localhost:8000([^'\"].*)['\"]$", re.MULTILINE)
# What the shell says for the days of the simulated rain, which here begins on 1 September 2025.
DAYS = {"$(date -d yesterday +%F)": "2025-09-01", "$(date +%F)": "2025-09-02"}


def on_those_days(path: str) -> str:
    for command, day in DAYS.items():
        path = path.replace(command, day)
    return path


REQUESTS = {
    layer: [on_those_days(path) for path in REQUEST.findall(body)]
    for layer, _, body in SECTION.findall(PAGE)
}


@pytest.fixture(scope="module")
def province(
    postgres: Server, lao_cai_template: str, catalogue: Catalogue, tmp_path_factory
) -> Iterator[tuple[Database, Catalogue]]:
    """The ten layers, each read from its simulated system; of warnings some have ended since."""
    folder = tmp_path_factory.mktemp("departments")
    with (
        postgres.opened(lao_cai_template) as database,
        faulty(demo_pages(lambda: NOW)) as server,
    ):
        layers = [layer_at(name, server, folder) for name in NAMES]
        whole = Catalogue((*catalogue.layers, *layers))
        with database.writing() as connection:
            sync(connection, whole)
            enter_sources(connection, layers)
        server.pages = demo_pages(lambda: EARLIER)
        run_source(database, whole.get("landslide_warnings"), surroundings(SECRETS))
        server.pages = demo_pages(lambda: NOW)
        for layer in layers:
            assert run_source(database, layer, surroundings(SECRETS)).state == "complete"
        yield database, whole


@pytest.fixture(scope="module")
def answers(province: tuple[Database, Catalogue]) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """What the requests of the page are answered, for an operator."""
    database, catalogue = province
    with database.writing() as connection:
        key = create_key(connection, "tests", Role.OPERATOR)
    app = create_app(Settings(_env_file=None), database, catalogue)
    with (
        serving(app) as url,
        httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=60) as client,
    ):
        made = {}
        for layer, paths in REQUESTS.items():
            replies = [client.get(path) for path in paths]
            assert all(each.status_code == 200 for each in replies), [e.text for e in replies]
            made[layer] = [each.json() for each in replies]
        yield made


def feed(path: str, **form: str) -> Any:
    page = DemoFeeds(lambda: NOW).pages()[path]
    request = DemoRequest("POST" if form else "GET", path, {"limit": "100"}, form, {}, b"", "")
    return json.loads(page(request).body)


def ended_warnings(records: list[dict[str, Any]]) -> set[int]:
    """The communes that were warned earlier and are not any more."""
    page = DemoFeeds(lambda: EARLIER).pages()["/warnings"]
    form = {"sogiodubao": "6", "date": "2026-03-02 09:00:00"}
    earlier = json.loads(page(DemoRequest("POST", "/warnings", {}, form, {}, b"", "")).body)
    return {each["commune_id"] for each in earlier} - {each["commune_id"] for each in records}


def groups(answer: dict[str, Any], *names: str) -> dict[Any, Any]:
    *keys, value = names
    return {tuple(each[key] for key in keys): each[value] for each in answer["groups"]}


def test_each_layer_has_a_question_of_the_planners_page():
    assert sorted(REQUESTS) == NAMES
    assert all(REQUESTS.values())
    assert {int(number) for _, number, _ in SECTION.findall(PAGE)} <= {*range(1, 26)}


def test_no_request_asks_for_days_that_are_not_in_a_demo_of_today():
    fixed = re.compile(r"20\d\d-\d\d")
    assert [path for path in REQUEST.findall(PAGE) if fixed.search(path)] == []


def test_rain_of_the_day_by_commune(answers):
    (answer,) = answers["rain_stations"]
    expected = {r["station"]["area"]: r["sumDepth"] for r in feed("/rain")}
    assert {each["commune_name"]: each["max"] for each in answer["groups"]} == expected


def test_rain_by_hydrological_day(answers):
    (answer,) = answers["rain_hourly"]
    expected: Counter[tuple[str, str]] = Counter()
    for each in hourly_rain(40):
        at = datetime.fromisoformat(each["resultTime"]).astimezone(HERE)
        day = (at + timedelta(hours=5) - timedelta(seconds=1)).date()  # it ends at 19:00
        station = each["Datastream"]["Thing"]["name"]
        expected[station, day.isoformat()] += round(each["result"] * 10)
    values = answer["measurements"]
    found = {(each["station"], each["day"]): each["measured"] for each in values if each["count"]}
    assert found == {key: pytest.approx(tenths / 10) for key, tenths in expected.items()}
    assert all(each["expected"] == 24 for each in values)


def test_gauges_near_a_point_beyond_the_first_alarm_level(answers):
    (answer,) = answers["water_levels"]
    expected = set()
    for number, (name, _, lon, lat) in enumerate(PLACES[:5], start=1):
        detail = feed("/water/detail", stationId=str(number))
        level = float(detail["values"].split(",")[-1])
        is_near = Geod(ellps="WGS84").inv(lon, lat, 103.85, 22.34)[2] <= 2000
        if is_near and level >= float(detail["bao_dong1"]):
            expected.add((name, level))
    found = {
        (name, each["properties"]["level"])
        for each in answer["features"]
        for name, *_ in PLACES
        if each["properties"]["station"] == f"Trạm {name}"
    }
    assert found == expected


def test_warnings_by_old_district(answers):
    (answer,) = answers["landslide_warnings"]
    records = feed("/warnings", sogiodubao="6", date="2026-03-02 10:00:00")
    assert ended_warnings(records)
    expected = Counter(each["district_name"] for each in records)
    assert groups(answer, "district_before", "count") == {(k,): n for k, n in expected.items()}


def test_incidents_by_a_word_without_accents(answers):
    (answer,) = answers["traffic_incidents"]
    expected = {each["id"] for each in feed("/traffic")["items"] if "lực lượng" in each["mo_ta"]}
    assert 0 < len(expected) < 40
    assert answer["numberMatched"] == len(expected)


def test_density_of_permits_by_commune(answers):
    (answer,) = answers["construction_permits"]
    assert sum(each["count"] for each in answer["groups"]) == 52  # 8 of 60 were replaced
    for each in answer["groups"]:
        assert each["per_km2"] == pytest.approx(each["count"] / each["area_km2"], rel=2e-3)


def test_the_gates_where_most_vehicles_wait(answers):
    (answer,) = answers["border_gates"]
    waiting = [each["properties"]["waiting"] for each in answer["features"]]
    page = DemoFeeds(lambda: NOW).border_gates(DemoRequest("GET", "", {}, {}, {}, b"", ""))
    all_of_them = sorted(map(int, re.findall(r"<XeCho>(\d+)<", page.body.decode())))
    assert waiting == all_of_them[:1:-1]


def test_fire_points_near_a_health_facility(answers):
    (answer,) = answers["fire_points"]
    page = DemoFeeds(lambda: NOW).fire_points(DemoRequest("GET", "", {}, {}, {}, b"", ""))
    rows = [line.split(",") for line in page.body.decode().splitlines()[1:]]
    places = [each["geometry"] for each in health_facilities(120)]
    near = Geod(ellps="WGS84")
    expected = sum(
        any(near.inv(float(x), float(y), at["x"], at["y"])[2] <= 5000 for at in places)
        for _, y, x, *_ in rows
    )
    assert answer["numberMatched"] == expected > 0


def test_facilities_by_commune_and_kind(answers):
    (answer,) = answers["health_facilities"]
    kinds = Counter(each["attributes"]["LOAI"] for each in health_facilities(120))
    found: Counter[str] = Counter()
    for each in answer["groups"]:
        found[each["kind"]] += each["count"]
    assert found == kinds


def test_reservoirs_by_outflow_and_all_departments_at_one_place(answers):
    lakes, sources = answers["reservoir_levels"]
    flows = [each["properties"]["outflow"] for each in lakes["features"]]
    assert flows == sorted((each["QXa"] for each in feed("/reservoirs")["Data"]), reverse=True)
    listed = {each["properties"]["of_layer"] for each in sources["features"]}
    assert listed == {*NAMES} - {"construction_permits"}  # which is not public
