"""The alarms of each month against the budget over HTTP: a page, its numbers, and QQ plots."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from api.app import create_app
from api.cli import command_line
from gis.access import Role, create_key
from gis.alerts.actions import resolve
from gis.alerts.states import Outcome
from gis.alerts.updates import apply_findings
from gis.database.engine import Database
from gis.errors import BadInput
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.definition.model import Audience
from layers.storage.sync import sync
from tests.integration.notify.made import open_to_all
from tests.integration.ogc_app import Client, app_client
from tests.unit.alerts.made import day, found, signal

LAYER = "citizen_reports"
PATH = "/alerts/calibration"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def http(toy_province: Database, catalogue: Catalogue) -> Iterator[Client]:
    app = create_app(Settings(_env_file=None), toy_province, catalogue)
    with app_client(app) as client:
        client.app = app
        yield client


def two_months(database: Database) -> None:
    """March and the first days of April, two streams; in April two alarms, one found true."""
    with database.writing() as connection:
        for n in range(36):
            apply_findings(connection, found(n, p=(n + 1) / 37, stream="traffic"), day(n))
            apply_findings(connection, found(n, p=0.5, rule="series"), day(n))
        told = [signal(36, key="a"), signal(36, lon=104.25, key="b")]
        true, _ = apply_findings(connection, found(36, *told, p=0.001), day(36)).opened
        resolve(connection, true, "officer", Outcome.TRUE, "seen")


def of_layer(http: Client, **headers: str) -> list[dict]:
    told = http.get(PATH, headers=headers).json()["calibration"]
    return [one for one in told if one["layer_id"] == LAYER]


def test_months_are_listed_latest_first_with_what_the_budget_allows(http, toy_province):
    two_months(toy_province)
    (layer,) = of_layer(http)
    assert (layer["title"]["en"], layer["false_alerts_a_year"]) == ("Citizen reports", 4)
    april, march = layer["months"]
    assert (march["month"], march["days"], march["alarms"], march["p_values"]) == (
        "2026-03", 31, 0, 62,
    )  # fmt: skip
    assert (march["allowed"], march["judged"], march["faults"]) == (0.34, True, [])
    assert march["share_true"] is None
    assert (april["days"], april["alarms"], april["found_true"]) == (6, 1, 1)
    assert (april["share_true"], april["judged"]) == (1.0, False)
    assert not layer["simulated_alone"]


def test_a_picture_has_a_dot_for_each_p_of_the_month(http, toy_province):
    two_months(toy_province)
    (layer,) = of_layer(http)
    for month, dots in zip(layer["months"], (11, 62), strict=True):
        (link,) = month["links"]
        answer = http.get(link["href"])
        assert answer.headers["content-type"] == link["type"] == "image/svg+xml"
        drawing = ElementTree.fromstring(answer.text)
        assert len(list(drawing.iter(f"{SVG}circle"))) == month["p_values"] == dots
        assert drawing.findtext(f"{SVG}title").startswith("Phản ánh của người dân 0")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"{LAYER}/2026-13.svg", 400, "'2026-13' is no month: write year and month, as 2026-10"),
        (f"{LAYER}/march.svg", 400, "'march' is no month"),
        (f"{LAYER}/2026-03.svg?k=1", 400, "there is no parameter 'k' here"),
        (f"{LAYER}/2026-05.svg", 404, "no picture of citizen_reports in 2026-05: nothing was"),
        ("citizen_report/2026-03.svg", 404, "did you mean citizen_reports"),
        ("communes/2026-03.svg", 404, "layer communes has no alarms"),
        ("?f=csv", 400, "f='csv' is not offered here"),
        ("?month=2026-03", 400, "there is no parameter 'month' here"),
    ],
)
def test_what_cannot_be_drawn_is_reported_with_the_reason(http, toy_province, path, status, words):
    two_months(toy_province)
    answer = http.get(f"{PATH}/{path}" if path[0] != "?" else f"{PATH}{path}")
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_simulated_records_alone_are_no_empty_page_without_a_reason(http, toy_province):
    with toy_province.writing() as connection:
        for n in range(3):
            apply_findings(connection, found(n, p=0.5, simulated=True), day(n))
    (layer,) = of_layer(http)
    assert layer["simulated_alone"]
    (march,) = layer["months"]
    assert (march["days"], march["days_of_simulated_records_alone"]) == (0, 3)
    assert march["links"] == []
    page = http.get(PATH, params={"f": "html", "lang": "en"}).text
    assert "So far there were simulated records alone" in page
    assert "<img" not in page
    picture = http.get(f"{PATH}/{LAYER}/2026-03.svg")
    assert picture.status_code == 404
    assert "simulated records alone were looked at" in picture.json()["detail"]


def test_a_browser_gets_a_page_in_its_language(http, toy_province):
    two_months(toy_province)
    vi = http.get(PATH, headers={"Accept": "text/html,*/*;q=0.8", "Accept-Language": "vi"})
    en = http.get(PATH, headers={"Accept": "text/html", "Accept-Language": "en"})
    assert vi.headers["content-type"].startswith("text/html")
    assert vi.text.index("04/2026") < vi.text.index("03/2026")
    assert "Cảnh báo chưa xác nhận đúng" in vi.text and "0,34" in vi.text
    assert "Alerts not found true" in en.text and "0.34" in en.text
    pictures = re.findall(r'<img src="([^"]+)"', en.text)
    assert [http.get(one).status_code for one in pictures] == [200, 200]


def test_it_takes_no_alerts_place(http, toy_province):
    open_to_all(toy_province)
    two_months(toy_province)
    assert http.get("/alerts/1").json()["id"] == 1
    assert http.get("/alerts/precision").status_code == 200
    assert http.head(PATH).status_code == 200


def test_of_a_closed_layer_nothing_is_shown_to_who_may_not_read_it(http, toy_province, catalogue):
    two_months(toy_province)
    access = catalogue.get(LAYER).access.model_copy(update={"read": Audience.DEPARTMENT})
    closed = Catalogue(
        tuple(
            one.model_copy(update={"access": access}) if one.id == LAYER else one
            for one in catalogue.layers
        )
    )
    with toy_province.writing() as connection:
        sync(connection, closed)
    with toy_province.writing() as connection:
        reader = {"X-API-Key": create_key(connection, "own", Role.DEPARTMENT, (LAYER,))}
        other = {"X-API-Key": create_key(connection, "other", Role.DEPARTMENT, ("landslides",))}
    picture = f"{PATH}/{LAYER}/2026-03.svg"
    for headers in ({}, other):
        assert of_layer(http, **headers) == []
        assert LAYER not in http.get(f"{PATH}?f=html", headers=headers).text
        refused = http.get(picture, headers=headers)
        missing = http.get(picture.replace(LAYER, "nothing"), headers=headers)
        assert refused.status_code == missing.status_code == 404
        assert refused.json()["detail"] == missing.json()["detail"].replace("nothing", LAYER)
    assert len(of_layer(http, **reader)) == 1
    assert http.get(picture, headers=reader).status_code == 200
    assert "X-API-Key" in http.get(picture, headers=reader).headers["vary"]


def test_the_command_describes_and_draws_one_month(toy_province, monkeypatch, tmp_path: Path):
    two_months(toy_province)
    monkeypatch.setenv("GIS_DATABASE_URL", toy_province.engine.url.render_as_string(False))
    picture = tmp_path / "march.svg"
    asked = ["alerts", "calibration", LAYER, "--month", "2026-03", "--json"]
    done = CliRunner().invoke(command_line(), [*asked, "--picture", str(picture)])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["days"], told["alarms_not_found_true"], told["p_values"]) == (31, 0, 62)
    drawing = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    assert len(list(drawing.iter(f"{SVG}circle"))) == 62
    wrong = CliRunner().invoke(command_line(), ["alerts", "calibration", LAYER, "--month", "3"])
    assert isinstance(wrong.exception, BadInput)
