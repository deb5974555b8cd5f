"""PMTiles archives: read by GDAL and by the format's own reader, handed out by ranges."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyogrio
import pytest
import shapely
from pmtiles.reader import MmapSource, Reader, all_tiles

from api.app import create_app
from gis.database.engine import Database
from gis.errors import BadInput, NotFound
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from tests.integration.ogc_app import app_client, serving
from tests.integration.tile_layers import (
    AREAS,
    DEPARTMENT,
    LAYERS,
    POINTS,
    add_points,
    execute,
    path_of,
    publish,
)
from tests.integration.tile_reader import decode
from tiles.archive import export, tiles_with_rows
from tiles.grid import Tile, tile_at

TOP = 9


def quiet(done: int, total: int) -> None:
    assert 0 <= done < total


@pytest.fixture
def points(database: Database) -> Database:
    publish(database)
    add_points(database, 300)
    return database


@pytest.fixture
def http(points: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    settings = Settings(_env_file=None, home=tmp_path)
    settings.archives.mkdir()
    app = create_app(settings, points, LAYERS)
    with app_client(app) as client:
        yield client


def tiles_of(path: Path) -> dict[Tile, bytes]:
    with path.open("rb") as file:
        found = all_tiles(MmapSource(file))
        return {Tile(*zxy): gzip.decompress(content) for zxy, content in found}


def test_an_archive_holds_the_tiles_that_the_service_serves(points, http, tmp_path):
    made = export(points, POINTS, tmp_path / "a.pmtiles", quiet, TOP)
    tiles = tiles_of(tmp_path / "a.pmtiles")
    assert len(tiles) == made.tiles and {one.z for one in tiles} == set(range(TOP + 1))
    for tile, content in tiles.items():
        assert content == http.get(path_of("incidents", tile)).content
    within = {one for one in tiles if one.z == TOP}
    around = tile_at(104.1, 22.4, TOP)
    for x in range(around.x - 4, around.x + 5):
        for y in range(around.y - 4, around.y + 5):
            tile = Tile(TOP, x, y)
            answer = http.get(path_of("incidents", tile))
            assert (tile in within) == (answer.status_code == 200 and answer.content != b"")


def test_gdal_reads_an_archive(points, tmp_path):
    path = tmp_path / "a.pmtiles"
    export(points, POINTS, path, quiet, TOP)
    # A point near an edge lies in the margins of two tiles.
    meta, _, _, values = pyogrio.raw.read(path, layer="incidents")
    ids = set(values[list(meta["fields"]).index("mvt_id")])
    assert len(ids) == 300 and "severity" in meta["fields"]
    with path.open("rb") as file:
        told = Reader(MmapSource(file)).metadata()
    assert told["licence"] == "CC-BY-4.0" and told["vector_layers"][0]["id"] == "incidents"


def test_simplified_polygons_are_in_the_archive_too(points, tmp_path):
    execute(
        points,
        "INSERT INTO layer.areas (geom, kind, note, source, source_key) VALUES"
        " (ST_Multi(ST_Buffer('SRID=4326;POINT(104 22)', 0.2, 64)), 'x', 'Hồ', 't', '1')",
    )
    export(points, AREAS, tmp_path / "a.pmtiles", quiet, 6)
    content = tiles_of(tmp_path / "a.pmtiles")[Tile(5, *_place(5))]
    (area,) = decode(content, Tile(5, *_place(5)), "areas")
    assert 4 < shapely.get_num_coordinates(area.geometry) < 128


def _place(z: int) -> tuple[int, int]:
    tile = tile_at(104, 22, z)
    return tile.x, tile.y


def test_what_fails_leaves_the_old_archive_and_nothing_else(points, tmp_path):
    path = tmp_path / "a.pmtiles"
    export(points, POINTS, path, quiet, 3)
    before = path.read_bytes()

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(points, POINTS, path, stop, 5)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["a.pmtiles"]


def test_a_layer_without_rows_or_zoom_is_refused_in_words(points, tmp_path):
    with pytest.raises(BadInput, match="nothing to export"):
        export(points, AREAS, tmp_path / "a.pmtiles", quiet)
    with pytest.raises(BadInput, match="from 0 to 14"):
        export(points, POINTS, tmp_path / "a.pmtiles", quiet, 15)
    with pytest.raises(NotFound, match="no tiles"):
        export(points, POINTS.model_copy(update={"tiles": None}), tmp_path / "a", quiet)
    assert list(tmp_path.iterdir()) == []


def test_only_tiles_with_rows_are_looked_into(points):
    with points.reading() as connection:
        found = list(tiles_with_rows(connection, POINTS, range(0, 12)))
    assert len(found) < 400 and {one.z for one in found} == set(range(12))


def test_an_archive_is_handed_out_by_ranges(points, http, tmp_path):
    export(points, POINTS, tmp_path / "pmtiles" / "incidents.pmtiles", quiet, 5)
    whole = http.get("/pmtiles/incidents.pmtiles")
    assert whole.status_code == 200 and whole.content.startswith(b"PMTiles")
    assert "content-encoding" not in whole.headers
    assert whole.headers["content-type"] == "application/vnd.pmtiles"
    etag = whole.headers["etag"]
    part = http.get("/pmtiles/incidents.pmtiles", headers={"Range": "bytes=0-126"})
    assert (part.status_code, part.content) == (206, whole.content[:127])
    assert part.headers["content-range"] == f"bytes 0-126/{len(whole.content)}"
    same = {"Range": "bytes=5-9", "If-Range": etag}
    assert http.get("/pmtiles/incidents.pmtiles", headers=same).status_code == 206
    other = {"Range": "bytes=5-9", "If-Range": '"other"'}
    assert http.get("/pmtiles/incidents.pmtiles", headers=other).status_code == 200
    beyond = {"Range": f"bytes={len(whole.content)}-"}
    assert http.get("/pmtiles/incidents.pmtiles", headers=beyond).status_code == 416


def test_only_archives_of_public_layers_are_handed_out(points, http, tmp_path):
    add_points(points, 20, "secret")
    export(points, DEPARTMENT, tmp_path / "pmtiles" / "secret.pmtiles", quiet, 3)
    for name in ("secret", "incidents", "nowhere", "..%2Fincidents"):
        assert http.get(f"/pmtiles/{name}.pmtiles").status_code == 404


def test_no_archive_is_handed_out_of_a_layer_that_is_given_out_by_area(points, tmp_path):
    settings = Settings(_env_file=None, home=tmp_path)
    settings.archives.mkdir()
    export(points, POINTS, settings.archives / "incidents.pmtiles", quiet, 3)
    for most, status in ((None, 200), (200.0, 403)):
        layer = POINTS.model_copy(update={"largest_export_km2": most})
        app = create_app(settings, points, Catalogue((layer,)))
        with serving(app) as url:
            assert httpx.get(f"{url}/pmtiles/incidents.pmtiles").status_code == status
