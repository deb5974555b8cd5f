"""Rasters from a file to what is served: added, replaced, removed, drawn, read, and closed."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio

from gis.access import Role, create_key
from gis.errors import AmbiguousInput, BadInput, Conflict
from gis.rasters import loader
from gis.rasters.loader import RasterOptions, add_rasters
from gis.rasters.store import delete_unused, remove_rasters, require_stack
from gis.values import BBox
from layers.definition.catalogue import Catalogue
from layers.definition.model import Audience
from layers.storage.sync import sync
from tests.integration.raster_desk import Desk
from tests.raster_files import TOY, write_raster

HEIGHTS = np.arange(300, dtype=np.float32).reshape(10, 30)
DAY = np.full((10, 30), 12.5, np.float32)


@pytest.fixture
def desk(toy_province, catalogue, tmp_path, monkeypatch):
    """Files are read in this process, which spares two starts of Python each; tests of kills and
    of the confined child itself have real ones.
    """
    monkeypatch.setattr(loader, "run_confined", lambda work, *given, size: work(*given))
    return Desk(toy_province, catalogue, tmp_path)


def at(client, layer_id, lon, lat, **more):
    return client.get(f"/rasters/{layer_id}/point", params={"lon": lon, "lat": lat, **more})


def image(body):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a picture has no place
        with rasterio.MemoryFile(body) as file, file.open() as picture:
            return picture.read()


def test_a_raster_is_listed_drawn_and_read_at_a_point(desk):
    desk.add("elevation", HEIGHTS)
    with desk.client() as client:
        (listed,) = [one for one in client.get("/rasters").json()["rasters"] if one["rasters"]]
        assert listed["id"] == "elevation"
        assert listed["bbox"] == pytest.approx([104.0, 22.0, 104.3, 22.1])
        assert at(client, "elevation", 104.005, 22.095).json()["value"] == 0
        assert at(client, "elevation", 104.295, 22.005).json()["value"] == 299
        assert at(client, "elevation", 104.3, 22.0).json()["value"] == 299  # the very corner
        beyond = at(client, "elevation", 101.0, 20.0)
        assert beyond.status_code == 404 and "104.0000" in beyond.json()["detail"]
        tilejson = client.get("/rasters/elevation/tilejson.json").json()
        assert tilejson["bounds"] == listed["bbox"]
        tile = client.get("/rasters/elevation/8/201/111.png")
        assert tile.status_code == 200 and tile.headers["content-type"] == "image/png"
        picture = image(tile.content)
        assert picture.shape == (4, 256, 256)
        assert 0 < (picture[3] > 0).sum() < 256 * 256
        again = client.get("/rasters/elevation/8/201/111.png", headers={
            "If-None-Match": tile.headers["etag"]})  # fmt: skip
        assert again.status_code == 304
        webp = client.get("/rasters/elevation/8/201/111.webp")
        assert webp.headers["content-type"] == "image/webp"
        assert np.abs(image(webp.content)[:, picture[3] > 0].astype(int)
                      - picture[:, picture[3] > 0]).max() <= 1  # fmt: skip
        shaded = client.get("/rasters/elevation/hillshade/10/807/447.png")
        assert shaded.status_code == 200
        data = client.get("/rasters/elevation/data.tif", headers={"Range": "bytes=0-99"})
        assert data.status_code == 206 and len(data.content) == 100
        whole = client.get("/rasters/elevation/data.tif").content
        with rasterio.open(io.BytesIO(whole)) as file:
            assert file.read(1).tolist() == HEIGHTS.tolist()


def test_wrong_requests_say_what_would_be_right(desk):
    desk.add("elevation", HEIGHTS)
    desk.add("rain_daily", DAY, "20240910.tif")
    wrong = {
        "/rasters/elevation/8/201/111.gif": 404,
        "/rasters/elevation/15/0/0.png": 404,
        "/rasters/elevation/8/999/111.png": 404,
        "/rasters/rain_daily/hillshade/8/201/111.png": 404,
        "/rasters/rain_daily/8/201/111.png?datetime=x": 400,
        "/rasters/elevation/8/201/111.png?datetime=x": 400,
        "/rasters/rain_daily/8/201/111.png?datetime=2020-01-01": 404,
        "/rasters/rain_daily/8/201/111.png?time=2024-09-10": 400,
        "/rasters/elevation/point?lon=104": 400,
        "/rasters/nothing/point?lon=104&lat=22": 404,
        "/rasters/landslide_susceptibility/point?lon=104&lat=22": 404,
        "/rasters/landslide_susceptibility/8/201/111.png": 404,
    }
    with desk.client() as client:
        answers = {path: client.get(path).status_code for path in wrong}
    assert answers == wrong


def test_a_replaced_raster_is_served_at_once_and_its_file_goes_later(desk):
    desk.add("elevation", HEIGHTS)
    with desk.client() as client:
        before = client.get("/rasters/elevation/10/807/447.png")
        assert at(client, "elevation", 104.15, 22.05).json()["value"] == 165
        report = desk.add("elevation", HEIGHTS + 1000)
        assert report.replaced == 1
        assert at(client, "elevation", 104.15, 22.05).json()["value"] == 1165
        after = client.get("/rasters/elevation/10/807/447.png", headers={
            "If-None-Match": before.headers["etag"]})  # fmt: skip
        assert after.status_code == 200 and after.content != before.content
    assert len(desk.files()) == 2  # who reads the old one reads on
    assert delete_unused(desk.database, desk.settings.rasters) == 0
    with desk.database.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE gis.raster SET outdated_at = now() - interval '2 hours'"
            " WHERE outdated_at IS NOT NULL"
        )
    old = time.time() - 2 * 86_400
    for path in desk.files():
        os.utime(path, (old, old))
    assert delete_unused(desk.database, desk.settings.rasters) == 1
    assert [path.name for path in desk.files()] == [Path(desk.stack("elevation").newest.file).name]


def test_days_of_rain_are_those_of_19_hours(desk):
    """The rain day of the 10th ends at 19:00 of the 10th; an instant is of one day."""
    for day in (9, 10, 11):
        desk.add("rain_daily", DAY + day, f"mua_2024-09-{day:02}.tif")
    with desk.client() as client:

        def value(moment):
            return at(client, "rain_daily", 104.1, 22.05, datetime=moment).json().get("value")

        assert value("2024-09-10") == 22.5
        assert value("2024-09-10T18:59:59+07:00") == 22.5
        assert value("2024-09-10T19:00:00+07:00") == 23.5
        assert value("2024-09-09T12:00:00Z") == 22.5
        assert value("2024-09-09T11:59:59Z") == 21.5
        assert value("2024-09-01/2024-09-30") == 23.5  # of several the newest
        assert value("2023-09-10") is None
        body = at(client, "rain_daily", 104.1, 22.05).json()
        assert (body["value"], body["unit"]) == (23.5, "mm")
        assert body["from"] == "2024-09-10T12:00:00Z"


def test_a_folder_is_a_stack_added_whole_or_not_at_all(desk):
    folder = desk.folder / "days"
    folder.mkdir()
    for day in (1, 2, 3):
        write_raster(folder / f"gpm_202409{day:02}.tif", DAY)
    write_raster(folder / "gpm_20240904.tif", DAY[:5])
    with pytest.raises(Conflict, match="pixels are not those"):
        desk.add_path("rain_daily", folder)
    assert desk.stack("rain_daily") is None
    assert desk.files() == []
    (folder / "gpm_20240904.tif").unlink()
    assert desk.add_path("rain_daily", folder).added == 3
    assert len(desk.stack("rain_daily").rasters) == 3


@pytest.mark.parametrize(
    ("layer_id", "name", "file", "options", "error", "words"),
    [
        ("elevation", "a.tif", {"crs": None}, {}, AmbiguousInput, "--crs EPSG:9208"),
        ("elevation", "a.tif", {"unit": "ft"}, {}, AmbiguousInput, "--unit m"),
        ("elevation", "a.tif", {"transform": TOY @ TOY.translation(3000, 0)}, {}, BadInput,
         "outside the province"),
        ("rain_daily", "mua.tif", {}, {}, BadInput, "--time"),
        ("rain_daily", "20240901_20240902.tif", {}, {}, AmbiguousInput, "several dates"),
        ("rain_daily", "mua.tif", {}, {"time": "2024-09-10T07:00"}, BadInput, "zone"),
        ("elevation", "a.tif", {}, {"time": "2024-09-10T07:00Z"}, BadInput, "no `time`"),
        ("elevation", "a.tif", {}, {"band": 2}, BadInput, "bands 1 to 1"),
    ],
)  # fmt: skip
def test_what_is_doubtful_is_asked_and_nothing_is_stored(
    desk, layer_id, name, file, options, error, words
):
    with pytest.raises(error, match=words):
        desk.add(layer_id, HEIGHTS, name, file=file, **options)
    assert desk.stack(layer_id) is None
    assert desk.files() == []


def test_bands_are_chosen_by_a_person(desk):
    both = np.stack([HEIGHTS, HEIGHTS + 500])
    with pytest.raises(AmbiguousInput, match="2 bands"):
        desk.add("elevation", both)
    desk.add("elevation", both, band=2)
    assert desk.stack("elevation").newest.statistics["least"] == 500


WRONG_VN2000 = (
    'PROJCS["VN_2000_TM3",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,'
    '298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",104.75],'
    'PARAMETER["Scale_Factor",0.9999],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)


def test_vn2000_with_the_datum_of_wgs84_is_asked_about_and_lands_exactly(desk):
    """223 m off else. The corner is a point whose place is known to a millimetre."""
    corner = rasterio.transform.from_origin(419_735.6526, 2_486_912.7857, 100, 100)
    area = BBox(103.9, 22.3, 104.1, 22.5)
    path = write_raster(desk.folder / "vn.tif", HEIGHTS, transform=corner, crs=WRONG_VN2000)
    layer = desk.catalogue.raster("elevation")

    def add(crs):
        return add_rasters(
            desk.database, desk.settings.rasters, layer.id, layer.spec, path,
            RasterOptions("test", crs=crs), area,
        )  # fmt: skip

    with pytest.raises(AmbiguousInput, match="9208"):
        add(None)
    add("EPSG:9208")
    stack = desk.stack("elevation")
    assert stack.grid.crs == "EPSG:9208"
    x, y = stack.xy_of(103.9719054331, 22.4790428959)
    assert (x, y) == pytest.approx((419_735.6526, 2_486_912.7857), abs=2e-3)
    with rasterio.open(desk.settings.rasters / stack.newest.file) as file:
        assert file.crs.to_epsg() == 9208


def test_a_closed_layer_is_closed_from_the_commit_on(desk):
    desk.add("elevation", HEIGHTS)
    paths = (
        "/rasters/elevation/point?lon=104.1&lat=22.05",
        "/rasters/elevation/8/201/111.png",
        "/rasters/elevation/hillshade/8/201/111.png",
        "/rasters/elevation/tilejson.json",
        "/rasters/elevation/legend.json",
        "/rasters/elevation/data.tif",
    )
    with desk.database.writing() as connection:
        key = create_key(connection, "desk", Role.OPERATOR)
    with desk.client() as client:
        assert {client.get(path).status_code for path in paths} == {200}
        closed = [
            layer.model_copy(
                update={"access": layer.access.model_copy(update={"read": Audience.PRIVATE})}
            )
            if layer.id == "elevation"
            else layer
            for layer in desk.catalogue.rasters
        ]
        with desk.database.writing() as connection:
            sync(
                connection,
                Catalogue(desk.catalogue.layers, desk.catalogue.digests, rasters=tuple(closed)),
            )
        for headers in ({}, {"X-API-Key": key}):
            answers = [client.get(path, headers=headers) for path in paths]
            assert {answer.status_code for answer in answers} == {404}
        missing = client.get("/rasters/never/legend.json").json()["detail"]
        hidden = client.get("/rasters/elevation/legend.json").json()["detail"]
        assert hidden.replace("elevation", "never") == missing
        listed = {one["id"] for one in client.get("/rasters").json()["rasters"]}
        assert "elevation" not in listed


def test_removed_steps_are_gone_and_the_rest_stays(desk):
    for day in (9, 10):
        desk.add("rain_daily", DAY, f"2024-09-{day:02}.tif")
    spec = desk.catalogue.raster("rain_daily").spec
    with desk.database.writing() as connection:
        remove_rasters(connection, "rain_daily", [spec.step_of("2024-09-09").start])
    assert [raster.source for raster in desk.stack("rain_daily").rasters] == ["2024-09-10.tif"]


def test_what_is_simulated_is_striped_and_says_so(desk):
    desk.add("elevation", HEIGHTS, simulated=True)
    with desk.client() as client:
        assert at(client, "elevation", 104.1, 22.05).json()["simulated"] is True
        picture = image(client.get("/rasters/elevation/10/807/447.png").content)
    drawn = picture[3] > 0
    white = (picture[:3] == 255).all(axis=0) & drawn
    assert 0.05 < white.sum() / drawn.sum() < 0.2


KILLED = """
import os, signal, sys
from pathlib import Path
from gis.database.engine import Database
from gis.rasters import loader, store
from gis.values import BBox
from layers.definition.catalogue import read_catalogue

url, folder, source, layers, moment = sys.argv[1:]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

if moment == "converted":
    loader.file_in_place = die
elif moment == "in place":
    loader.switch_rasters = die
else:
    rename = store._require_apart
    def half(steps):
        die()
    store._require_apart = half
layer = read_catalogue(Path(layers)).raster("elevation")
loader.add_rasters(Database(url), Path(folder), layer.id, layer.spec, Path(source),
                   loader.RasterOptions("test"), BBox(104.0, 22.0, 104.3, 22.1))
"""


@pytest.mark.parametrize("moment", ["converted", "in place", "switching"])
def test_a_kill_leaves_what_was_before_and_rubbish_that_goes(desk, moment):
    from tests.conftest import LAYERS

    desk.add("elevation", HEIGHTS)
    path = write_raster(desk.folder / "new.tif", HEIGHTS + 1)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), desk.database.url,
         str(desk.settings.rasters), str(path), str(LAYERS), moment],
        check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert desk.stack("elevation").newest.statistics["least"] == 0
    assert len(desk.files()) == 2
    old = time.time() - 2 * 86_400
    for rubbish in desk.files():
        os.utime(rubbish, (old, old))
    assert delete_unused(desk.database, desk.settings.rasters) == 1
    with desk.database.reading() as connection:
        newest = require_stack(connection, "elevation").newest
    assert [newest.path(desk.settings.rasters)] == desk.files()
    assert desk.add_path("elevation", path).replaced == 1
