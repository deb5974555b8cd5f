"""Every format by every client that reads it, on five layers that clients stumble over."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import pandas as pd
import pytest
import shapely
from owslib.ogcapi.features import Features
from playwright.sync_api import Browser

from api.routes.map import MAPLIBRE
from layers.definition.catalogue import Catalogue
from layers.items.formats import FORMATS
from tests.acceptance.qgis_program import has_qgis, run_in_qgis
from tests.acceptance.screenshot import CHROMIUM, browser
from tests.acceptance.trap_layers import LAYERS, NAMES, NOTES, TILE, Rows, expected, fill
from tests.databases import Server
from tests.integration.tile_layers import tile_service

needs_gdal = pytest.mark.skipif(
    shutil.which("ogr2ogr") is None, reason="GDAL's programs are missing: apt install gdal-bin"
)
needs_qgis = pytest.mark.skipif(
    not has_qgis(), reason="QGIS is missing: apt install qgis python3-qgis"
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or not MAPLIBRE.is_dir(),
    reason="Chromium or the map's packages are missing: apt install chromium, npm ci",
)
READER = Path(__file__).parent / "qgis_rows.py"
WITH_TILES = tuple(layer.id for layer in LAYERS if layer.tiles is not None)
# How a person tells QGIS where the geometry of a CSV file is.
QGIS_PLACES = {
    "points": "xField=x&yField=y",
    "lines": "wktField=geom",
    "polygons": "wktField=geom",
    "plain": "geomType=none",
    "empty": "xField=x&yField=y",
}
TILE_PATH = f"{TILE.z}/{TILE.x}/{TILE.y}.mvt"


@pytest.fixture(scope="module")
def url(postgres: Server, migrated: str) -> Iterator[str]:
    """The service over the five layers."""
    with postgres.opened(migrated) as database:
        fill(database)
        with tile_service(database, Catalogue(LAYERS)) as client:
            yield str(client.base_url).rstrip("/")


@pytest.fixture(scope="module")
def files(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every layer in every format, and its one tile, as a person saves them."""
    folder = tmp_path_factory.mktemp("files")
    for name in NAMES:
        for form, export in FORMATS.items():
            answer = httpx.get(f"{url}/ogc/collections/{name}/items", params={"f": form})
            (folder / f"{name}{export.suffix}").write_bytes(answer.raise_for_status().content)
        if name in WITH_TILES:
            path = folder / "tiles" / name / TILE_PATH
            path.parent.mkdir(parents=True)
            answer = httpx.get(f"{url}/tiles/{name}/{TILE_PATH}")
            assert answer.status_code in (200, 204) or name == "empty", answer.text
            path.write_bytes(answer.content if answer.is_success else b"")
    return folder


def rounded(bounds: Any) -> tuple[float, ...] | None:
    return None if bounds is None else tuple(round(float(each), 6) for each in bounds)


def rows_of_geojson(document: dict[str, Any]) -> Rows:
    rows: Rows = {}
    for feature in document["features"]:
        there = feature["geometry"]
        bounds = None if there is None else shapely.geometry.shape(there).bounds
        rows[feature["properties"]["note"]] = rounded(bounds)
    return rows


def ogr2ogr(*arguments: str, **settings: str) -> Rows:
    """Rows as GDAL reads them, in degrees."""
    command = ["ogr2ogr", "-f", "GeoJSON", "-t_srs", "OGC:CRS84", "/vsistdout/", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          env=os.environ | settings)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return rows_of_geojson(json.loads(done.stdout))


def gdal_items(url: str, _: Path, name: str) -> Rows:
    return ogr2ogr(f"OAPIF:{url}/ogc", name)


def gdal_csv(_: str, files: Path, name: str) -> Rows:
    columns = ["X_POSSIBLE_NAMES=x", "Y_POSSIBLE_NAMES=y", "GEOM_POSSIBLE_NAMES=geom"]
    options = [word for column in columns for word in ("-oo", column)]
    return ogr2ogr("-s_srs", "OGC:CRS84", *options, str(files / f"{name}.csv"))


def gdal_flatgeobuf(_: str, files: Path, name: str) -> Rows:
    # GDAL 3.10 crashes by Arrow on a record without geometry, of a file that it wrote itself too.
    return ogr2ogr(str(files / f"{name}.fgb"), OGR2OGR_USE_ARROW_API="NO")


def owslib_items(url: str, _: Path, name: str) -> Rows:
    return rows_of_geojson(Features(f"{url}/ogc").collection_items(name))


def geopandas_file(suffix: str) -> Callable[[str, Path, str], Rows]:
    def read(_: str, files: Path, name: str) -> Rows:
        return rows_of_frame(gpd.read_file(files / f"{name}{suffix}"))

    return read


def geopandas_items(url: str, _: Path, name: str) -> Rows:
    frame = gpd.read_file(f"{url}/ogc/collections/{name}/items?limit=100")
    return {} if frame.empty else rows_of_frame(frame)  # GeoJSON names its columns in its rows


def parquet(_: str, files: Path, name: str) -> Rows:
    reads = pd.read_parquet if name == "plain" else gpd.read_parquet
    return rows_of_frame(reads(files / f"{name}.parquet"))


def pandas_csv(_: str, files: Path, name: str) -> Rows:
    frame = pd.read_csv(files / f"{name}.csv")
    if "x" in frame:
        frame = gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(frame["x"], frame["y"]))
        frame.loc[frame["x"].isna(), "geometry"] = None
    elif "geom" in frame:
        frame = gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries.from_wkt(frame["geom"]))
    return rows_of_frame(frame)


def rows_of_frame(frame: pd.DataFrame) -> Rows:
    shapes = frame.geometry if isinstance(frame, gpd.GeoDataFrame) else [None] * len(frame)
    return {
        note: rounded(None if shape is None else shape.bounds)
        for note, shape in zip(frame["note"], shapes, strict=True)
    }


# QGIS is not among them: it is started once for all (below).
READERS: dict[tuple[str, str], Callable[[str, Path, str], Rows]] = {
    ("json", "GDAL"): gdal_items,
    ("json", "OWSLib"): owslib_items,
    ("json", "GeoPandas"): geopandas_items,
    ("csv", "GDAL"): gdal_csv,
    ("csv", "pandas"): pandas_csv,
    ("fgb", "GDAL"): gdal_flatgeobuf,
    ("fgb", "GeoPandas"): geopandas_file(".fgb"),
    ("parquet", "GeoPandas"): parquet,
}


def test_every_format_has_a_client() -> None:
    assert {form for form, _ in READERS} == {"json", *FORMATS}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("form", "client"),
    [pytest.param(*pair, marks=needs_gdal if pair[1] == "GDAL" else ()) for pair in READERS],
)
def test_a_client_reads_every_row_of_a_layer(
    url: str, files: Path, form: str, client: str, name: str
) -> None:
    assert READERS[form, client](url, files, name) == expected(name)


@needs_gdal
@pytest.mark.parametrize("name", WITH_TILES)
def test_gdal_reads_a_tile(files: Path, name: str) -> None:
    path = files / "tiles" / name / TILE_PATH
    rows = ogr2ogr(str(path), name) if path.stat().st_size else {}
    drawn = {note: bounds for note, bounds in expected(name).items() if bounds is not None}
    assert rows.keys() == drawn.keys()
    for note, bounds in drawn.items():  # simplified by up to half a pixel, which is 0.011°
        assert rows[note] == pytest.approx(bounds, abs=0.015)


@pytest.fixture(scope="module")
def in_qgis(url: str, files: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Rows of every source as QGIS reads them, by `format layer`."""
    sources = []
    for name in NAMES:
        sources.append([f"json {name}", "OAPIF", f"url='{url}/ogc' typename='{name}'"])
        sources.append([f"fgb {name}", "ogr", str(files / f"{name}.fgb")])
        csv = f"file://{files / name}.csv?crs=EPSG:4326&{QGIS_PLACES[name]}"
        sources.append([f"csv {name}", "delimitedtext", csv])
    for name in WITH_TILES:
        address = f"{url}/tiles/{name}/{{z}}/{{x}}/{{y}}.mvt"
        sources.append([f"tiles {name}", "tiles", f"type=xyz&url={address}&zmin=0&zmax=14"])
    return run_in_qgis(READER, tmp_path_factory.mktemp("qgis"), json.dumps(sources))


@needs_qgis
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["json", "csv", "fgb"])
def test_qgis_reads_every_row_of_a_layer(in_qgis: dict[str, Any], form: str, name: str) -> None:
    rows = in_qgis[f"{form} {name}"]
    assert rows is not None, "QGIS does not open it"
    assert {note: rounded(bounds) for note, bounds in rows.items()} == expected(name)


@needs_qgis
@pytest.mark.parametrize("name", WITH_TILES)
def test_qgis_draws_tiles(in_qgis: dict[str, Any], name: str) -> None:
    pixels = in_qgis[f"tiles {name}"]
    assert pixels is not None, "QGIS does not open them"
    assert (pixels > 0) == bool(expected(name))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@needs_chromium
@pytest.mark.parametrize("name", NAMES)
def test_a_browser_shows_the_page_of_items(url: str, chromium: Browser, name: str) -> None:
    wrong: list[str] = []
    page = chromium.new_page(locale="vi-VN")
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{url}/ogc/collections/{name}/items?limit=100")
    texts = page.locator("tbody tr").all_text_contents()
    assert len(texts) == len(expected(name))
    assert all(any(note in text for text in texts) for note in NOTES[: len(texts)])
    if any(expected(name).values()):
        page.locator("#map canvas").wait_for(timeout=20_000)
    page.close()
    assert wrong == []
