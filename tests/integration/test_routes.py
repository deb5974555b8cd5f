"""The service's own routes over a real database: places, summaries, quarantine, alerts, health."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.detect import run_hotspots
from layers.ingest.load import LoadOptions, load_file
from tests.databases import Server
from tests.integration.notify.made import open_to_all
from tests.integration.ogc_app import app_client
from tests.integration.test_hotspots import cluster, noise, report

HEADER = "report_id,happened_at,received_at,category,description,status,lon,lat,address,commune\n"
LINES = (
    "a,2026-03-01T08:00:00+07:00,,traffic,x,received,104.05,22.05,,\n"
    "b,2026-03-02T08:00:00+07:00,,traffic,x,received,104.15,22.05,,\n"
    "c,2026-03-03T08:00:00+07:00,,security,x,received,,,,00004\n"
    "d,2026-03-03T08:00:00+07:00,,security,x,received,,,,\n"
)


@contextmanager
def service(database: Database, catalogue: Catalogue, folder: Path) -> Iterator[httpx.Client]:
    """A client of the service over the records above."""
    path = folder / "reports.csv"
    path.write_text(HEADER + LINES, encoding="utf-8")
    options = LoadOptions(who="tests", source="tests")
    load_file(database, catalogue.get("citizen_reports"), path, options)
    app = create_app(Settings(_env_file=None), database, catalogue)
    with app_client(app) as client:
        yield client


@pytest.fixture(scope="module")
def http(
    postgres: Server,
    toy_template: str,
    catalogue: Catalogue,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """For tests that change nothing."""
    folder = tmp_path_factory.mktemp("routes")
    with (
        postgres.opened(toy_template) as database,
        service(database, catalogue, folder) as client,
    ):
        yield client


@pytest.fixture
def own(toy_province: Database, catalogue: Catalogue, tmp_path: Path) -> Iterator[httpx.Client]:
    """For tests that change something, in `toy_province`."""
    with service(toy_province, catalogue, tmp_path) as client:
        yield client


def key(database: Database, role: Role, *layers: str) -> dict[str, str]:
    with database.writing() as connection:
        return {"X-API-Key": create_key(connection, "tests", role, layers)}


def test_a_ready_service_says_so(http):
    assert http.get("/health/live").json() == {"status": "live"}
    ready = http.get("/health/ready").json()
    assert (ready["status"], ready["failing_alarms"]) == ("ready", 0)
    assert http.get("/health").json() == http.get("/health/ready").json()


def test_a_point_is_described_with_its_commune_and_neighbours(http):
    found = http.get("/places", params={"lon": 104.15, "lat": 22.05}).json()
    assert found["commune"]["code"] == "00004"
    assert [one["code"] for one in found["neighbours"]] == ["00001", "00007"]
    assert len(found["cell"]) == 15


def test_a_point_outside_has_no_commune(http):
    assert http.get("/places", params={"lon": 106, "lat": 21}).json()["commune"] is None


def test_an_address_is_described_in_the_shape_that_is_promised(http):
    found = http.get("/places", params={"address": "thôn 2, xã Bãi Cát, Lào Cai"}).json()
    assert set(found) == {
        "commune", "era", "confidence", "precision_m", "lon", "lat", "cell", "matched",
        "candidates", "why",
    }  # fmt: skip
    assert found["commune"] == {"code": "00004", "name": "Xã Bãi Cát"}


def test_a_batch_is_placed_in_its_order(http):
    records = [{"lon": 104.25, "lat": 22.05}, {"unit": "00001"}, {"address": "gần chợ"}, {}]
    places = http.post("/places", json={"records": records}).json()["places"]
    codes = [one["commune"] and one["commune"]["code"] for one in places]
    assert codes == ["00007", "00001", None, None]
    assert [one["reason"] for one in places] == ["", "", "unclear_address", "no_place"]


def test_each_record_of_a_batch_has_the_answer_of_an_address(http):
    words = "thôn 2, xã Bãi Cát, Lào Cai"
    alone = http.get("/places", params={"address": words}).json()
    (among,) = http.post("/places", json={"records": [{"address": words}]}).json()["places"]
    assert among | alone == among


def test_an_exchanged_point_is_reported_and_keeps_no_other_from_its_place(http):
    records = [{"lon": 22.05, "lat": 104.25}, {"lon": 104.25, "lat": 22.05}]
    bad, good = http.post("/places", json={"records": records}).json()["places"]
    assert (bad["reason"], good["commune"]["code"]) == ("bad_coordinates", "00007")
    assert "Longitude and latitude may be exchanged" in bad["why"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/places", None),
        ("GET", "/places?lon=104", None),
        ("GET", "/places?lon=200&lat=10", None),
        ("GET", "/places?lon=a&lat=b", None),
        ("POST", "/places", {"records": []}),
        ("POST", "/places", {"records": [{"x": 1}]}),
        ("POST", "/places", {"records": [{}] * 10_001}),
        ("GET", "/places?adress=x", None),
        ("GET", "/alerts?stauts=open", None),
        ("GET", "/summary/citizen_reports?by=galaxy", None),
        ("GET", "/summary/citizen_reports?nonsense=1", None),
        ("GET", "/summary/communes?by=commune", None),
    ],
)
def test_a_wrong_query_is_400_and_says_what_is_wrong(http, method, path, body):
    answer = http.request(method, path, json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


BY_COMMUNE = "/summary/citizen_reports?by=commune"


def test_summaries_by_commune_hold_points_and_coarse_places(http):
    found = http.get(BY_COMMUNE).json()
    assert found["total"] == 3
    assert {one["commune"]: one["count"] for one in found["groups"]} == {"00001": 1, "00004": 2}


def test_summaries_take_the_filters_of_items(http):
    found = http.get(BY_COMMUNE + "&filter=category='security'").json()
    assert {one["commune"]: one["count"] for one in found["groups"]} == {"00004": 1}


def test_a_summary_of_a_layer_that_may_not_be_read_is_404(own, toy_province):
    assert own.get("/summary/field_incidents").status_code == 404
    department = key(toy_province, Role.DEPARTMENT, "field_incidents")
    assert own.get("/summary/field_incidents", headers=department).status_code == 200


def test_quarantine_needs_a_key_and_shows_only_what_that_may_write(own, toy_province):
    assert own.get("/quarantine").status_code == 401
    other = key(toy_province, Role.DEPARTMENT, "landslides")
    assert own.get("/quarantine", headers=other).json()["records"] == []
    operator = key(toy_province, Role.OPERATOR)
    (record,) = own.get("/quarantine", headers=operator).json()["records"]
    assert record["reason"] == "no_place"
    assert own.get(f"/quarantine/{record['id']}", headers=other).status_code == 404


def test_quarantine_is_listed_by_layer_and_source(own, toy_province):
    operator = key(toy_province, Role.OPERATOR)

    def listed(**params):
        return len(own.get("/quarantine", params=params, headers=operator).json()["records"])

    assert listed(layer="citizen_reports") == 1
    assert listed(layer="landslides") == listed(source="nobody") == 0
    assert (listed(reason="no_place"), listed(reason="outside")) == (1, 0)


def test_an_operator_corrects_and_replays_a_record(own, toy_province):
    operator = key(toy_province, Role.OPERATOR)
    (record,) = own.get("/quarantine", headers=operator).json()["records"]
    corrected = own.patch(
        f"/quarantine/{record['id']}", json={"changes": {"commune": "00007"}}, headers=operator
    )
    assert corrected.json()["raw"]["commune"] == "00007"
    done = own.post("/quarantine/replay/citizen_reports", headers=operator).json()
    assert done == {"replayed": 1, "outside": 0, "waiting": 0, "questions": {}}
    assert own.get("/summary/citizen_reports").json()["total"] == 4


def test_a_dropped_record_is_kept_as_dropped(own, toy_province):
    operator = key(toy_province, Role.OPERATOR)
    (record,) = own.get("/quarantine", headers=operator).json()["records"]
    assert own.delete(f"/quarantine/{record['id']}", headers=operator).json()["status"] == "dropped"
    assert own.get("/quarantine", headers=operator).json()["records"] == []
    dropped = own.get("/quarantine", params={"status": "dropped"}, headers=operator).json()
    assert len(dropped["records"]) == 1


def test_an_alert_is_acknowledged_once_by_an_operator(own, toy_province, catalogue):
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)
    report(toy_province, noise(), days=90)
    report(toy_province, cluster())
    open_to_all(toy_province)
    run_hotspots(toy_province, catalogue.get("citizen_reports"), now)
    (alert,) = own.get("/alerts").json()["alerts"]
    path = f"/alerts/{alert['id']}/acknowledge"
    operator = key(toy_province, Role.OPERATOR)
    assert own.post(path, json={"note": ""}).status_code == 401
    assert own.post(path, json={"note": ""}, headers={"X-API-Key": "gis_no"}).status_code == 401
    assert own.post(path, json={"note": ""}, headers=operator).json()["status"] == "acknowledged"
    assert own.post(path, json={"note": ""}, headers=operator).status_code == 409
    history = own.get(f"/alerts/{alert['id']}").json()["history"]
    assert [event["act"] for event in history] == ["open", "acknowledged"]
    assert all("who" not in event for event in history)


def test_an_unchanged_list_of_alerts_is_304(http):
    first = http.get("/alerts")
    again = http.get("/alerts", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_the_map_page_allows_nothing_from_elsewhere(http):
    page = http.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert http.get("/web/..%2Fapp.py").status_code == 404
    assert http.get("/web/map.js").status_code == 200


def test_every_error_has_one_body_and_the_id_of_its_request(http):
    answer = http.get("/alerts/999999", headers={"X-Request-Id": "abc-1"})
    body = answer.json()
    assert answer.status_code == 404
    assert answer.headers["X-Request-Id"] == body["request_id"] == "abc-1"
    assert {"type", "title", "status", "detail", "code", "description"} <= set(body)
