"""Rasters as people see them: on the map page in a real browser, and in QGIS."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import rasterio
from playwright.sync_api import Page, expect

from api.app import create_app
from api.routes.map import MAPLIBRE
from gis.rasters import loader
from tests.acceptance.qgis_program import has_qgis, run_in_qgis
from tests.acceptance.screenshot import CHROMIUM, browser, open_map
from tests.integration.ogc_app import serving
from tests.integration.raster_desk import Desk
from tests.waiting import wait_until

RISING = np.tile(np.linspace(200, 2800, 30, dtype=np.float32), (10, 1))
CLASSES = np.repeat(np.array([[1, 2, 3]], np.uint8), 10, axis=1).repeat(10, axis=0)


@pytest.fixture(scope="module")
def url(postgres, toy_template, catalogue, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setattr(loader, "run_confined", loader.run_here)
    with postgres.opened(toy_template) as database, patch.context():
        desk = Desk(database, catalogue, tmp_path_factory.mktemp("raster_map"))
        desk.add("elevation", RISING)
        desk.add("landslide_susceptibility", CLASSES, simulated=True)
        desk.add("rain_daily", np.full((10, 30), 20, np.float32), "20240909.tif")
        desk.add("rain_daily", np.full((10, 30), 120, np.float32), "20240910.tif")
        with serving(create_app(desk.settings, database, catalogue)) as address:
            yield address


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
@pytest.mark.skipif(not MAPLIBRE.is_dir(), reason="no MapLibre: npm ci")
def test_the_map_lists_draws_and_explains_rasters(url, tmp_path):
    with map_page(url) as page:
        before = colours(page, tmp_path / "before.png")
        switch(page, "Độ cao địa hình", "Dạng ô lưới")
        drawn = tmp_path / "elevation.png"
        wait_until(lambda: len(colours(page, drawn)) > len(before) + 20, every_s=0.3)
        page.mouse.click(640, 360)
        popup = page.locator(".maplibregl-popup")
        expect(popup).to_contain_text("Độ cao địa hình", timeout=10_000)
        expect(popup).to_contain_text(" m")
        expect(popup).not_to_contain_text("Mưa ngày")  # it is switched off
        switch(page, "Mức nhạy cảm sạt lở", "Dạng ô lưới · mô phỏng")
        legend = page.locator("#layer-list details", has_text="Mức nhạy cảm sạt lở")
        expect(legend).to_contain_text("Rất cao")
        page.wait_for_timeout(1500)
        page.screenshot(path=tmp_path / "classes.png")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
@pytest.mark.skipif(not MAPLIBRE.is_dir(), reason="no MapLibre: npm ci")
def test_a_stack_has_a_slider_over_its_steps(url, tmp_path):
    with map_page(url) as page:
        switch(page, "Mưa ngày", "Dạng ô lưới")
        row = page.locator("#layer-list details", has_text="Mưa ngày")
        slider = row.locator("input[type=range]")
        expect(row.locator("output")).to_contain_text("10/9/24")
        popup = page.locator(".maplibregl-popup")
        page.mouse.click(640, 360)
        expect(popup).to_contain_text("120 mm", timeout=10_000)
        with page.expect_request(re.compile(r"rain_daily.*datetime=2024-09-08T12:00:00Z")):
            slider.press("ArrowLeft")
        expect(row.locator("output")).to_contain_text("8/9/24")
        page.keyboard.press("Escape")
        page.mouse.click(640, 380)
        expect(popup.last).to_contain_text("20 mm", timeout=10_000)
        page.screenshot(path=tmp_path / "slider.png")
        assert (
            page.locator("#layer-list details", has_text="Độ cao")
            .locator("input[type=range]")
            .count()
            == 0
        )


@contextmanager
def map_page(url) -> Iterator[Page]:
    """The open map; fails on anything that it complains of."""
    complaints = []
    with browser() as running:
        page = running.new_context(
            viewport={"width": 1280, "height": 720}, locale="vi-VN"
        ).new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else 0)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        open_map(page, url)
        yield page
    assert complaints == []


def switch(page, title, note):
    row = page.locator("#layer-list details", has_text=title).filter(has_text=note).first
    row.locator("summary").first.evaluate("row => row.parentElement.open = true")
    row.locator("input[type=checkbox]").check()


def colours(page, path: Path):
    page.screenshot(path=path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a picture has no place
        with rasterio.open(path) as picture:
            middle = picture.read()[:3, 260:460, 440:840]
    return {tuple(pixel) for pixel in middle.reshape(3, -1).T.tolist()}


@pytest.mark.skipif(not has_qgis(), reason="QGIS is missing: apt install qgis python3-qgis")
def test_qgis_reads_the_file_and_draws_the_pictures(url, tmp_path):
    tiles = f"{url}/rasters/elevation/{{z}}/{{x}}/{{y}}.png"
    told = run_in_qgis(
        Path(__file__).parent / "qgis_rasters.py", tmp_path,
        f"{url}/rasters/elevation/data.tif", quote(tiles, safe=":/{}"),
        str(tmp_path / "qgis.png"),
    )  # fmt: skip
    assert told["file"]["valid"] and told["file"]["crs"] == "EPSG:4326"
    assert told["file"]["size"] == [30, 10]
    assert told["file"]["value"] == pytest.approx(float(RISING[4, 15]), abs=0.01)
    assert told["tiles"]["valid"]
    assert len(told["colours"]) > 20
