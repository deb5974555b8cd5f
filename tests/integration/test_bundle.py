"""The offline map: a folder of public layers, whole or not at all, drawn without the service."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import orjson
import pytest
from playwright.sync_api import expect

from api.bundle import PMTILES, BundleReport, bundle, public_layers
from gis.database.engine import Database
from gis.errors import BadInput, Conflict, NotFound
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from tests.acceptance.screenshot import CHROMIUM, browser, open_map
from tests.integration.test_hotspots import report

type Show = Callable[[int, int], None]
type Make = Callable[..., BundleReport]
PLACES = np.array([[104.05, 22.05], [104.15, 22.02], [104.25, 22.08]])

pytestmark = pytest.mark.skipif(not PMTILES.is_file(), reason="no packages of the map: npm ci")


def no_bar(_: str) -> nullcontext[Show]:
    return nullcontext(lambda done, total: None)


@pytest.fixture
def make(toy_province: Database, catalogue: Catalogue) -> Make:
    """The command, on three communes with three reports and one incident that is not public."""
    report(toy_province, PLACES)
    with toy_province.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO layer.field_incidents (geom, kind, source, source_key)"
            " VALUES (ST_Point(104.1, 22.05, 4326), 'accident', 'test', '1')"
        )

    def run(folder: Path, *names: str, bars=no_bar) -> BundleReport:
        return bundle(toy_province, Settings(_env_file=None), catalogue, folder, names, bars)

    return run


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*.*")}


def test_a_bundle_holds_the_public_layers_that_have_rows(make: Make, tmp_path: Path):
    made = make(tmp_path / "map")
    files = files_of(tmp_path / "map")
    assert made.layers == ["citizen_reports", "communes"] and "landslides" in made.empty
    assert {name for name in files if name.endswith(".pmtiles")} == {
        "citizen_reports.pmtiles",
        "communes.pmtiles",
    }
    about, style = orjson.loads(files["bundle.json"]), orjson.loads(files["style.json"])
    assert [one["id"] for one in about["layers"]] == made.layers
    assert "glyphs" not in style
    assert style["sources"]["communes"]["tiles"] == ["pmtiles://communes.pmtiles/{z}/{x}/{y}"]
    for words in (b"field_incidents", b"reporter_"):
        assert not [name for name, content in files.items() if words in content]
    legends = [orjson.loads(files[f"legends/citizen_reports.{one}.json"]) for one in ("vi", "en")]
    assert [one["features"][0]["label"] for one in legends] == ["Giao thông", "Traffic"]


def test_only_public_layers_may_be_named(make: Make, tmp_path: Path):
    with pytest.raises(BadInput, match="not public"):
        make(tmp_path / "map", "communes", "field_incidents")
    with pytest.raises(NotFound, match="no tiles"):
        make(tmp_path / "map", "admin_units")
    assert make(tmp_path / "map", "citizen_reports").layers == ["citizen_reports"]
    assert [one.name for one in tmp_path.iterdir()] == ["map"]


def test_layers_that_are_given_out_by_area_are_in_no_bundle(catalogue: Catalogue):
    communes = catalogue.get("communes").model_copy(update={"largest_export_km2": 200.0})
    changed = Catalogue((communes, catalogue.get("citizen_reports")))
    assert [layer.id for layer in public_layers(changed, ())] == ["citizen_reports"]
    with pytest.raises(BadInput, match="given out by area"):
        public_layers(changed, ("communes",))


def test_what_fails_leaves_the_old_bundle_and_nothing_else(make: Make, tmp_path: Path):
    make(tmp_path / "map", "citizen_reports")
    before = files_of(tmp_path / "map")

    @contextmanager
    def stop(what: str) -> Iterator[Show]:
        if "communes" in what:
            raise KeyboardInterrupt
        yield lambda done, total: None

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "map", bars=stop)
    assert files_of(tmp_path / "map") == before
    make(tmp_path / "map", "communes")
    assert "citizen_reports.pmtiles" not in files_of(tmp_path / "map")
    assert [one.name for one in tmp_path.iterdir()] == ["map"]


def test_a_folder_of_somebody_else_is_not_touched(make: Make, tmp_path: Path):
    for name, content in (("notes.txt", "mine"), ("bundle.json", '{"made_by": "a packer"}')):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_text(content)
        with pytest.raises(Conflict, match="no bundle"):
            make(folder)
        assert [one.read_text() for one in folder.iterdir()] == [content]


@contextmanager
def handed_out(folder: Path) -> Iterator[str]:
    """The folder on Python's own web server, which knows no ranges."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_the_page_draws_without_the_service_and_asks_nobody_else(make: Make, tmp_path: Path):
    make(tmp_path / "made")
    (tmp_path / "made").rename(tmp_path / "carried")  # nothing in it tells where it was made
    asked, complaints = [], []
    with handed_out(tmp_path / "carried") as url, browser() as chromium:
        page = chromium.new_page(viewport={"width": 1000, "height": 700}, locale="vi-VN")
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        open_map(page, url)
        drawn = orjson.loads(page.locator("body").get_attribute("data-features"))
        expect(page.locator("#badges")).to_contain_text("Ngoại tuyến")
        expect(page.locator("#badges")).to_contain_text("Dữ liệu lúc")
        page.click("#language")
        expect(page.locator("#badges")).to_contain_text("Data as of")
        expect(page.locator("#layer-list")).to_contain_text("Citizen reports")
        expect(page.locator("#layer-list")).to_contain_text("Traffic")
        expect(page.locator("#problem")).to_be_hidden()
    assert drawn["citizen_reports"] == len(PLACES) and drawn["communes"] >= 3
    assert complaints == []
    assert [one for one in asked if not one.startswith((url, "blob:", "data:"))] == []
    assert len([one for one in asked if one.endswith("citizen_reports.pmtiles")]) == 1
