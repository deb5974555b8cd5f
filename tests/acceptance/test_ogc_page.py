"""The page of items in a real browser: a map, the table, on a wide screen and on a phone."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from api.routes import map as map_routes
from gis.database.engine import Database
from tests.integration.ogc_app import ogc_app, serving
from tests.integration.ogc_layers import INCIDENTS, add_five, make_layer

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or not map_routes.MAPLIBRE.is_dir(),
    reason="Chromium or the map's packages are missing: apt install chromium, npm ci",
)


@pytest.fixture
def base(database: Database) -> Iterator[str]:
    make_layer(database)
    add_five(database)
    app = ogc_app(database, [INCIDENTS])
    app.include_router(map_routes.router)
    with serving(app) as address:
        yield address


@pytest.fixture(params=[(1200, 800), (390, 844)], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height = request.param
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": width, "height": height}, locale="vi-VN")
        browser.close()


def test_a_page_of_items_shows_a_map_and_the_table(base: str, page: Page) -> None:
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{base}/ogc/collections/incidents/items?limit=4")
    page.locator("#map canvas").wait_for(timeout=20_000)
    assert page.locator("h1").text_content() == "Sự cố"
    assert page.locator("tbody tr").count() == 4
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, "a phone shows the page without scrolling sideways"
    page.get_by_role("link", name="Trang sau").first.click()
    page.locator("tbody tr").first.wait_for()
    assert page.locator("tbody tr").count() == 1
    page.get_by_role("link", name="English").click()
    assert page.locator("h1").text_content() == "Incidents"
    assert wrong == []
