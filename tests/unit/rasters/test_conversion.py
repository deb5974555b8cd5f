"""Rasters become files that say what they hold: no value, scale, place, type, overviews."""

import math

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_validate

from gis.errors import AmbiguousInput, BadFile
from gis.intake.confined import run_confined
from gis.rasters.conversion import convert, describe
from tests.raster_files import write_raster

PLAN = {
    "band": 1,
    "crs": "EPSG:4326",
    "quantity": "measure",
    "unit": "m",
    "least": None,
    "most": None,
    "classes": [],
    "nodata": None,
}


def converted(tmp_path, values, *, plan=None, **file):
    source = write_raster(tmp_path / "source.tif", values, **file)
    target = tmp_path / "target.tif"
    made = convert(str(source), str(target), PLAN | (plan or {}))
    return target, made


def pixels(path):
    with rasterio.open(path) as file:
        return file.read(1, masked=True)


def test_no_value_is_one_thing_whatever_the_file_calls_it(tmp_path):
    """NaN, infinity, the declared value and those that a person names, in one file."""
    values = np.array([[1, np.nan, -9999], [np.inf, 2, -1]], np.float32)
    target, made = converted(tmp_path, values, nodata=-9999, plan={"nodata": [-1.0]})
    assert math.isnan(made["nodata"])
    assert pixels(target).filled(-5).tolist() == [[1, -5, -5], [-5, 2, -5]]
    assert made["statistics"]["valid"] == pytest.approx(2 / 6)
    assert (made["statistics"]["least"], made["statistics"]["most"]) == (1, 2)


@pytest.mark.parametrize("value", [-9999, -32768, np.float32(-3.4028235e38), 1e20])
def test_a_value_that_may_mean_none_is_asked_about(tmp_path, value):
    values = np.array([[1, 2], [3, value]], np.float32)
    with pytest.raises(AmbiguousInput, match="--nodata"):
        converted(tmp_path, values)
    assert not (tmp_path / "target.tif").exists()
    assert not (tmp_path / "target.half").exists()


def test_the_answer_none_keeps_the_value(tmp_path):
    target, _ = converted(tmp_path, np.array([[-9999, 5]], np.int16), plan={"nodata": []})
    assert pixels(target).tolist() == [[-9999, 5]]


def test_whole_numbers_keep_their_nodata(tmp_path):
    values = np.array([[1, 0], [255, 4]], np.uint8)
    target, made = converted(tmp_path, values, nodata=255)
    assert made["nodata"] == 255
    assert pixels(target).filled(77).tolist() == [[1, 0], [77, 4]]


def test_a_mask_is_kept(tmp_path):
    values, mask = np.array([[1, 2], [3, 4]], np.uint8), np.array([[255, 0], [255, 255]], np.uint8)
    target, _ = converted(tmp_path, values, mask=mask)
    assert pixels(target).filled(77).tolist() == [[1, 77], [3, 4]]


@pytest.mark.parametrize(
    ("kind", "written"), [("int16", "float32"), ("int32", "float64"), ("float32", "float32")]
)
def test_scale_and_offset_are_applied_once(tmp_path, kind, written):
    values = np.array([[0, 10], [-99, 1000]], kind)
    target, made = converted(tmp_path, values, scale=0.1, offset=-5, nodata=-99)
    assert made["dtype"] == written
    with rasterio.open(target) as file:
        assert (file.scales, file.offsets) == ((1.0,), (0.0,))
    assert pixels(target).filled(777).ravel() == pytest.approx([-5, -4, 777, 95])


def test_a_file_of_points_lies_where_its_points_are(tmp_path):
    """AREA_OR_POINT=Point: the origin in the file is the centre of a pixel."""
    grid = from_origin(104.0, 22.1, 0.01, 0.01)
    places = {}
    for point in (False, True):
        target, _ = converted(tmp_path, np.ones((3, 3), np.float32), transform=grid, point=point)
        with rasterio.open(target) as file:
            places[point] = file.xy(0, 0)
            assert file.tags()["AREA_OR_POINT"] == "Area"
    assert places[True] == pytest.approx(places[False])
    with rasterio.open(target) as file:
        assert (file.transform.c, file.transform.f) == pytest.approx((104.0, 22.1))


@pytest.mark.parametrize(("quantity", "resampled"), [("class", {1, 7}), ("measure", {4.0})])
def test_overviews_average_measures_and_never_classes(tmp_path, quantity, resampled):
    values = np.tile(np.array([[1, 7], [7, 1]], np.uint8), (600, 600))
    if quantity == "measure":
        values = values.astype(np.float32)
    target, _ = converted(tmp_path, values, plan={"quantity": quantity, "classes": [1, 7]})
    assert cog_validate(target) == (True, [], [])
    with rasterio.open(target) as file:
        assert file.overviews(1)[0] == 2
        shown = file.read(1, out_shape=(600, 600))
    assert set(np.unique(shown).tolist()) <= resampled


@pytest.mark.parametrize(
    ("values", "plan", "words"),
    [
        ([[1.5, 2.0]], {"quantity": "class", "classes": [1, 2]}, "fractions"),
        ([[1, 9]], {"quantity": "class", "classes": [1, 2]}, "in no class.*: 9"),
        ([[1.0, 900.0]], {"most": 500}, "from 1 to 900.*to 500"),
        ([[-4.0, 1.0]], {"least": 0}, "from -4 to 1"),
        ([[np.nan, np.nan]], {}, "no pixel has a value"),
    ],
)
def test_values_that_cannot_be_what_the_layer_says_are_refused(tmp_path, values, plan, words):
    given = np.array(values)
    kind = np.uint8 if np.issubdtype(given.dtype, np.integer) else np.float32
    with pytest.raises(BadFile, match=words):
        converted(tmp_path, given.astype(kind), plan=plan)


def test_what_is_no_geotiff_or_no_north_up_grid_is_refused(tmp_path):
    text = tmp_path / "text.tif"
    text.write_text("P3 2 2 255")
    turned = write_raster(
        tmp_path / "turned.tif",
        np.ones((2, 2)),
        transform=rasterio.Affine(0.1, 0.1, 104, -0.1, 0.1, 22),
    )
    complex_ = write_raster(tmp_path / "complex.tif", np.ones((2, 2), np.complex64))
    flipped = write_raster(
        tmp_path / "up.tif", np.ones((2, 2)), transform=rasterio.Affine(0.1, 0, 104, 0, 0.1, 22)
    )
    for path in (text, turned, complex_, flipped, tmp_path / "none.tif", "/vsicurl/http://a/b.tif"):
        with pytest.raises(BadFile):
            describe(str(path))


def test_other_drivers_are_not_opened(tmp_path):
    """A VRT names other files, and so would read what its sender may not."""
    secret = write_raster(tmp_path / "secret.tif", np.ones((2, 2)))
    vrt = tmp_path / "a.tif"
    vrt.write_text(
        '<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Float64" band="1">'
        f"<SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(BadFile, match="GeoTIFF"):
        describe(str(vrt))


def test_files_beside_it_do_not_count(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.ones((2, 2)), crs=None)
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset><SRS>EPSG:4326</SRS></PAMDataset>")
    assert describe(str(path))["crs"] is None


def test_a_giant_is_refused_by_its_header(tmp_path):
    path = write_raster(
        tmp_path / "a.tif", np.ones((2, 2), np.uint8), sparse_ok=True, tiled=True, bigtiff="yes"
    )
    with rasterio.open(
        path, "w", driver="GTiff", width=100_000, height=100_000, count=1, dtype="uint8",
        sparse_ok=True, tiled=True, transform=from_origin(104, 22.1, 1e-5, 1e-5), crs="EPSG:4326",
    ):  # fmt: skip
        pass
    with pytest.raises(BadFile, match="split it"):
        describe(str(path))


def test_it_runs_in_a_confined_child(tmp_path):
    source = write_raster(tmp_path / "a.tif", np.arange(6, dtype=np.float32).reshape(2, 3))
    header = run_confined(describe, str(source), size=1000)
    assert header["grid"] == [3, 2, 104.0, pytest.approx(22.1), 0.01, 0.01]
    made = run_confined(convert, str(source), str(tmp_path / "b.tif"), PLAN, size=1000)
    assert made["statistics"]["mean"] == 2.5
