"""The page of items in a real browser: a map, the table, on a wide screen and on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from api.routes import map as map_routes
from gis.database.engine import Database
from tests.acceptance.screenshot import CHROMIUM, browser
from tests.integration.ogc_app import ogc_app, serving
from tests.integration.ogc_layers import INCIDENTS, add_five, make_layer

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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(params=[(1200, 800), (390, 844)], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    width, height = request.param
    opened = chromium.new_page(viewport={"width": width, "height": height}, locale="vi-VN")
    yield opened
    opened.close()


def test_a_page_of_items_shows_a_map_and_the_table(base: str, page: Page) -> None:
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{base}/ogc/collections/incidents/items?limit=4")
    page.locator("#map canvas").wait_for(timeout=20_000)
    expect(page.locator("h1")).to_have_text("Sự cố")
    expect(page.locator("tbody tr")).to_have_count(4)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, "a phone shows the page without scrolling sideways"
    page.get_by_role("link", name="Trang sau").first.click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="English").click()
    expect(page.locator("h1")).to_have_text("Incidents")
    assert wrong == []
