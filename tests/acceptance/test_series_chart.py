"""Chart of a station's measurements, in a real browser."""

import pytest
from playwright.sync_api import expect

from api.app import create_app
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from tests.acceptance.screenshot import CHROMIUM, browser
from tests.integration.ogc_app import serving
from tests.series_layers import gauges, load_measurements, measured, rows

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")

SHOW = """async ([layer, id, language]) => {
  const { setLanguage } = await import("/web/words.js");
  const { chartsOf } = await import("/web/chart.js");
  setLanguage(language);
  document.querySelector("main").replaceChildren(await chartsOf(layer, id) ?? "none");
}"""
BLANK = "<!doctype html><html><body><button id=language></button><main></main></body></html>"


@pytest.fixture(scope="module")
def page(postgres, toy_template, tmp_path_factory):
    layer = gauges()
    with postgres.opened(toy_template) as database:
        levels = [measured("A", f"2026-03-01 {hour:02}:00", 1 + hour / 10) for hour in range(13)]
        implausible, silent = measured("A", "2026-03-01 13:00", 99), measured("B", "", "")
        load_measurements(
            database, layer, tmp_path_factory.mktemp("chart"), *levels, implausible, silent
        )
        app = create_app(Settings(_env_file=None), database, Catalogue((layer,)))
        with serving(app) as url, browser() as chromium:
            opened = chromium.new_context(locale="vi-VN").new_page()
            opened.route(
                f"{url}/", lambda route: route.fulfill(body=BLANK, content_type="text/html")
            )
            opened.goto(f"{url}/")
            opened.stations = dict(rows(database, "SELECT source_key, id FROM layer.mz"))
            yield opened


def show(page, station, language="vi"):
    page.evaluate(SHOW, [{"id": "mz"}, page.stations[station], language])


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("vi", ("thấp nhất 1 m", "cao nhất 2,2 m", "mới nhất 2,2 m (12:00", "BĐ1 2 m", "BĐ3 4 m")),
        ("en", ("least 1 m", "most 2.2 m", "newest 2.2 m", "Alarm 1 2 m")),
    ],
)
def test_a_station_is_drawn_with_its_levels_and_said_in_words(page, language, said):
    show(page, "A", language)
    chart = page.get_by_role("img")
    for words in said:
        expect(page.locator("figcaption")).to_contain_text(words)
        assert words in chart.get_attribute("aria-label")
    points = chart.locator("polyline").get_attribute("points").split()
    assert len(points) == 13
    heights = [float(point.split(",")[1]) for point in points]
    assert heights == sorted(heights, reverse=True)  # the water rises, and y falls
    # The level that is reached and the next one; a third would press the line flat.
    assert chart.locator("line.level").count() == 2
    reached, following = (float(each.get_attribute("y1")) for each in chart.locator("line").all())
    assert following < heights[-1] < reached < heights[9]


def test_a_station_without_measurements_has_no_chart(page):
    show(page, "B")
    expect(page.locator("main")).to_have_text("none")
