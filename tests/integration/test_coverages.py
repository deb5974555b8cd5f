"""OGC API Coverages and EDR of rasters: each of what stock services get wrong is a test."""

import io
from datetime import UTC, datetime

import numpy as np
import pytest
import rasterio
from covjson_pydantic.coverage import Coverage, CoverageCollection
from edr_pydantic.capabilities import ConformanceModel, LandingPageModel
from edr_pydantic.collections import Collections
from pyproj import Transformer
from rasterio.transform import from_origin

from api.ogc.coverage_documents import QUERIES
from gis.rasters import loader
from gis.rasters.geotiff import geotiff
from gis.rasters.queries import RasterCube
from gis.rasters.raster import RasterGrid, StoredRaster
from tests.integration.raster_desk import Desk

HEIGHTS = np.arange(300, dtype=np.float32).reshape(10, 30)
HEIGHTS[0, 0] = np.nan
CLASSES = np.full((10, 30), 1, np.uint8)
CLASSES[:, 15:] = 4
CLASSES[9, 29] = 0
PEOPLE = np.ones((10, 30), np.float32)
METRES = from_origin(410_000, 2_480_000, 100, 100)  # EPSG:9208, near Lào Cai
ROOT = "/coverages"


@pytest.fixture(scope="module")
def http(postgres, toy_template, catalogue, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setattr(loader, "run_confined", lambda work, *given, size: work(*given))
    with postgres.opened(toy_template) as database, patch.context():
        desk = Desk(database, catalogue, tmp_path_factory.mktemp("coverages"))
        desk.add("elevation", HEIGHTS)
        desk.add("landslide_susceptibility", CLASSES, file={"nodata": 0})
        desk.add("inhabitants_grid", PEOPLE)
        for day in range(1, 6):
            desk.add("rain_daily", np.full((10, 30), float(day), np.float32), f"2024090{day}.tif")
        with desk.client() as client:
            yield client


def ask(http, layer_id, query, **given):
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return http.get(f"{ROOT}/collections/{layer_id}/{query}", params=named)


def values_of(document):
    (found,) = document["ranges"].values()
    shape = found.get("shape", [])
    return np.array(found["values"], float).reshape(shape)


def tif(answer):
    assert answer.status_code == 200, answer.text
    with rasterio.open(io.BytesIO(answer.content)) as file:
        return file.read(masked=True), file.profile, file.descriptions


def test_its_documents_are_those_of_edr(http):
    LandingPageModel.model_validate_json(http.get(ROOT).content)
    conformance = ConformanceModel.model_validate_json(http.get(f"{ROOT}/conformance").content)
    assert "http://www.opengis.net/spec/ogcapi-edr-1/1.0/conf/core" in conformance.conformsTo
    document = http.get(f"{ROOT}/collections")
    Collections.model_validate_json(document.content)
    collections = document.json()["collections"]
    assert {one["id"] for one in collections} == {
        "elevation", "landslide_susceptibility", "rain_daily", "inhabitants_grid",
    }  # fmt: skip
    for one in collections:
        assert http.get(f"{ROOT}/collections/{one['id']}").json() == one
        assert http.get(f"{ROOT}/collections/{one['id']}/schema").status_code == 200
        assert set(one["data_queries"]) == set(QUERIES)
        for query in one["data_queries"].values():
            assert query["link"]["variables"]["output_formats"] == ["CoverageJSON", "GeoJSON"]
        assert all(isinstance(crs, str) for crs in one["crs"])
        for described in one["parameter_names"].values():
            assert described["type"] == "Parameter" and described["observedProperty"]["label"]
    (rain,) = [one for one in collections if one["id"] == "rain_daily"]
    assert rain["extent"]["temporal"]["interval"] == [
        ["2024-08-31T12:00:00Z", "2024-09-05T12:00:00Z"]
    ]


def test_the_api_definition_says_what_must_be_given(http):
    document = http.get(f"{ROOT}/openapi").json()
    parts = document["components"]["parameters"]

    def parameters(path):
        references = document["paths"][path]["get"]["parameters"]
        return {parts[one["$ref"].rpartition("/")[2]]["name"]: parts[one["$ref"].rpartition("/")[2]]
                for one in references}  # fmt: skip

    for query in ("position", "area", "trajectory"):
        coords = parameters(f"/collections/elevation/{query}")["coords"]
        assert coords["required"] and coords["schema"] == {"type": "string"}
    bbox = parameters("/collections/elevation/cube")["bbox"]
    assert bbox["required"] and bbox["schema"]["type"] == "array"


def test_axes_are_centres_and_a_wide_box_does_not_stretch_them(http):
    for bbox in ("104.0,22.0,104.3,22.1", "100,20,110,25", "-180,-90,180,90"):
        document = ask(http, "elevation", "coverage", bbox=bbox, f="covjson").json()
        Coverage.model_validate_json(
            ask(http, "elevation", "coverage", bbox=bbox, f="covjson").content
        )
        axes = document["domain"]["axes"]
        assert axes["x"]["values"] == pytest.approx(104.005 + 0.01 * np.arange(30))
        assert axes["y"]["values"] == pytest.approx(22.095 - 0.01 * np.arange(10))
        assert document["ranges"]["elevation"]["values"][:3] == [None, 1, 2]


def test_a_part_is_the_pixels_that_it_touches(http):
    document = ask(http, "elevation", "coverage", f="covjson",
                   subset="Lon(104.012:104.029),Lat(22.085:22.09)").json()  # fmt: skip
    assert document["domain"]["axes"]["x"]["values"] == pytest.approx([104.015, 104.025])
    assert values_of(document).tolist() == [[31, 32]]


def test_a_box_outside_is_not_found_and_says_where_the_raster_lies(http):
    for query, given in (
        ("coverage", {"bbox": "101,20,102,21"}),
        ("cube", {"bbox": "101,20,102,21"}),
        ("position", {"coords": "POINT(101 20)"}),
        ("area", {"coords": "POLYGON((101 20,102 20,101 21,101 20))"}),
        ("trajectory", {"coords": "LINESTRING(101 20,102 20)"}),
    ):
        answer = ask(http, "elevation", query, **given)
        assert answer.status_code == 404, (query, answer.text)
        assert "104.00000" in answer.json()["detail"]


WRONG = (
    ("coverage", {"bbox": "1,2,3"}),
    ("coverage", {"bbox": "104,22,104.1,22.1", "subset": "Lon(104:105)"}),
    ("coverage", {"subset": "Height(3:4)"}),
    ("coverage", {"subset": "Lon(105:104)"}),
    ("coverage", {"subset": "Lon(104:105"}),
    ("coverage", {"scale-factor": "0"}),
    ("coverage", {"scale-factor": "nan"}),
    ("coverage", {"scale-factor": "2", "width": "5"}),
    ("coverage", {"width": "0"}),
    ("coverage", {"width": "9999", "height": "9999"}),
    ("coverage", {"crs": "EPSG:2044"}),
    ("coverage", {"datetime": "yesterday"}),
    ("coverage", {"colour": "red"}),
    ("coverage", {"f": "png"}),
    ("coverage", {"properties": "rain"}),
    ("coverage", {"f": "geojson", "crs": "EPSG:3857"}),
    ("position", {}),
    ("position", {"coords": ""}),
    ("position", {"coords": "POINT(104 x)"}),
    ("position", {"coords": "LINESTRING(104 22,104.1 22)"}),
    ("position", {"coords": "POINT(104.1 22.05)", "parameter-name": "rain"}),
    ("position", {"coords": "POINT(104.1 22.05)", "z": "4"}),
    ("area", {"coords": "POINT(104 22)"}),
    ("area", {"coords": "POLYGON((104 22,104.2 22.1,104.2 22,104 22.1,104 22))"}),
    ("area", {}),
    ("cube", {}),
    ("cube", {"bbox": "104,22"}),
    ("trajectory", {}),
)


@pytest.mark.parametrize(("query", "given"), WRONG)
def test_a_wrong_query_is_400_and_says_what_would_be_right(http, query, given):
    answer = http.get(f"{ROOT}/collections/elevation/{query}", params=given)
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"]


def test_a_geotiff_keeps_place_nodata_type_and_unit(http):
    pixels, profile, _ = tif(ask(http, "elevation", "coverage"))
    assert np.isnan(profile["nodata"]) and profile["dtype"] == "float32"
    assert profile["crs"].to_epsg() == 4326
    assert (profile["transform"].c, profile["transform"].f) == pytest.approx((104.0, 22.1))
    assert pixels[0, 0].filled(-1)[:3].tolist() == [-1, 1, 2]


def test_another_crs_is_named_and_true(http):
    """In metres of VN-2000: the value at a point is that of the pixel where the point lies."""
    answer = ask(http, "elevation", "coverage", crs="http://www.opengis.net/def/crs/EPSG/0/9208",
                 bbox="104.1,22.03,104.2,22.07")  # fmt: skip
    assert answer.headers["content-crs"] == "<http://www.opengis.net/def/crs/EPSG/0/9208>"
    pixels, profile, _ = tif(answer)
    assert profile["crs"].to_epsg() == 9208
    assert 900 < profile["transform"].a < 1200  # a hundredth of a degree, in metres
    x, y = Transformer.from_crs(4326, 9208, always_xy=True).transform(104.155, 22.055)
    row, column = rasterio.transform.rowcol(profile["transform"], x, y)
    assert pixels[0, row, column] == pytest.approx(HEIGHTS[4, 15], abs=16)
    document = ask(http, "elevation", "coverage", crs="EPSG:9208", f="covjson").json()
    system = document["domain"]["referencing"][0]["system"]
    assert system == {"type": "ProjectedCRS", "id": "http://www.opengis.net/def/crs/EPSG/0/9208"}


def test_the_axes_of_epsg_4326_are_latitude_first(http):
    document = ask(http, "elevation", "coverage", f="covjson", crs="EPSG:4326",
                   **{"bbox-crs": "http://www.opengis.net/def/crs/EPSG/0/4326"},
                   bbox="22.05,104.1,22.07,104.12").json()  # fmt: skip
    assert document["domain"]["referencing"][0]["coordinates"] == ["y", "x"]
    assert document["domain"]["axes"]["x"]["values"] == pytest.approx([104.105, 104.115])
    answer = ask(http, "elevation", "position", crs="EPSG:4326", coords="POINT(22.055 104.155)")
    assert answer.json()["ranges"]["elevation"]["values"] == [135]


def test_coarser_pixels_average_measures_sum_totals_and_take_one_class(http):
    pixels, profile, _ = tif(
        ask(http, "elevation", "coverage", scale_factor=2, bbox="104.1,22,104.3,22.1")
    )
    assert pixels.shape == (1, 5, 10) and profile["transform"].a == pytest.approx(0.02)
    assert pixels[0, 0, 0] == pytest.approx(HEIGHTS[:2, 10:12].mean())
    people, _, _ = tif(ask(http, "inhabitants_grid", "coverage", scale_factor=5))
    assert people.sum() == pytest.approx(300)
    assert people[0, 0, 0] == pytest.approx(25)
    moved, _, _ = tif(ask(http, "inhabitants_grid", "coverage", crs="EPSG:9208"))
    assert moved.sum() == pytest.approx(300, rel=0.02)
    classes, profile, _ = tif(ask(http, "landslide_susceptibility", "coverage", width=3, height=1))
    assert profile["dtype"] == "uint8" and set(classes.ravel().tolist()) <= {1, 4}
    sized, _, _ = tif(ask(http, "elevation", "coverage", scale_size="Lon(15),Lat(5)"))
    assert sized.shape == (1, 5, 15)


def test_classes_have_names_and_no_unit(http):
    answer = ask(http, "landslide_susceptibility", "coverage", f="covjson")
    document = answer.json()
    Coverage.model_validate_json(answer.content)
    described = document["parameters"]["landslide_susceptibility"]
    assert "unit" not in described and len(described["categoryEncoding"]) == 4
    values = document["ranges"]["landslide_susceptibility"]["values"]
    assert values[0] == 1 and values[-1] is None and values[29] == 4


def test_a_point_on_a_stack_is_a_series_in_time(http):
    answer = ask(http, "rain_daily", "position", coords="POINT(104.1 22.05)")
    Coverage.model_validate_json(answer.content)
    document = answer.json()
    assert document["domain"]["domainType"] == "PointSeries"
    assert document["domain"]["axes"]["t"]["values"][0] == "2024-08-31T12:00:00Z"
    assert document["domain"]["axes"]["t"]["bounds"][:2] == [
        "2024-08-31T12:00:00Z", "2024-09-01T12:00:00Z",
    ]  # fmt: skip
    assert document["ranges"]["rain_daily"]["values"] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("moment", "days"),
    [
        ("2024-09-03", [3]),
        ("2024-09-02T17:00:00Z", [3]),
        ("2024-09-02T12:00:00Z", [3]),
        ("2024-09-02T11:59:59Z", [2]),
        ("2024-09-02T12:00:00Z/2024-09-03T12:00:00Z", [3, 4]),
        ("../2024-09-01T00:00:00Z", [1]),
        ("2024-09-04T13:00:00Z/..", [5]),
    ],
)
def test_an_instant_on_a_daily_stack_is_of_its_day(http, moment, days):
    answer = ask(http, "rain_daily", "position", coords="POINT(104.1 22.05)", datetime=moment)
    assert answer.json()["ranges"]["rain_daily"]["values"] == days


def test_a_time_without_steps_is_not_found(http):
    answer = ask(http, "rain_daily", "position", coords="POINT(104 22)", datetime="2020-01-01")
    assert answer.status_code == 404 and "2024-08-31" in answer.json()["detail"]


def test_several_points_and_geojson(http):
    answer = ask(http, "rain_daily", "position", coords="MULTIPOINT(104.1 22.05,104.2 22.05,90 3)")
    CoverageCollection.model_validate_json(answer.content)
    assert len(answer.json()["coverages"]) == 2  # the third lies beyond
    found = ask(http, "elevation", "position", coords="POINT(104.155 22.055)", f="GeoJSON").json()
    (feature,) = found["features"]
    assert feature["geometry"]["coordinates"] == [104.155, 22.055]
    assert feature["properties"]["elevation"] == 135


def test_an_area_has_what_lies_within_and_leaves_the_raster(http):
    coords = "POLYGON((104.2 22.0,104.5 22.0,104.5 22.05,104.2 22.05,104.2 22.0))"
    answer = ask(http, "elevation", "area", coords=coords)
    Coverage.model_validate_json(answer.content)
    assert values_of(answer.json()).tolist() == HEIGHTS[5:, 20:].tolist()
    half = "POLYGON((104.1 22.0,104.2 22.0,104.1 22.1,104.1 22.0))"
    values = values_of(ask(http, "elevation", "area", coords=half).json())
    assert values.shape == (10, 10)
    assert np.isnan(values[0, 9]) and values[9, 0] == HEIGHTS[9, 10]
    assert 40 <= np.isfinite(values).sum() <= 60


def test_a_line_has_each_pixel_once_and_leaves_the_raster(http):
    answer = ask(http, "elevation", "trajectory", coords="LINESTRING(104.255 22.055,104.5 22.055)")
    Coverage.model_validate_json(answer.content)
    assert answer.json()["ranges"]["elevation"]["values"] == [145, 146, 147, 148, 149]
    stack = ask(http, "rain_daily", "trajectory", coords="LINESTRING(104.255 22.055,104.5 22.055)")
    Coverage.model_validate_json(stack.content)
    assert values_of(stack.json()).shape == (5, 5)


def test_a_cube_is_a_stack_of_boxes(http):
    answer = ask(http, "rain_daily", "cube", bbox="104.1,22.0,104.12,22.05",
                 datetime="2024-09-02/2024-09-03")  # fmt: skip
    Coverage.model_validate_json(answer.content)
    values = values_of(answer.json())
    assert values.shape[1:] == (5, 2)
    bands, _, names = tif(
        ask(http, "rain_daily", "coverage", subset='time("2024-09-01T13:00:00Z")')
    )
    assert (bands == 2).all() and names == ("2024-09-01T12:00:00Z",)
    bands, _, names = tif(ask(http, "rain_daily", "coverage", datetime="2024-09-01/2024-09-30"))
    assert len(names) == 5
    newest, _, _ = tif(ask(http, "rain_daily", "coverage"))
    assert (newest == 5).all()


def test_an_answer_that_the_client_has_is_not_sent_again(http):
    first = ask(http, "elevation", "coverage")
    again = http.get(f"{ROOT}/collections/elevation/coverage",
                     headers={"If-None-Match": first.headers["etag"]})  # fmt: skip
    assert again.status_code == 304
    assert first.headers["etag"] != ask(http, "elevation", "coverage", f="covjson").headers["etag"]


def test_a_raster_in_metres_says_so(postgres, toy_template, catalogue, tmp_path, monkeypatch):
    """Not degrees with a wrong CRS."""
    monkeypatch.setattr(loader, "run_confined", lambda work, *given, size: work(*given))
    lon, lat = Transformer.from_crs(9208, 4326, always_xy=True).transform(410_150, 2_479_850)
    with postgres.opened(toy_template) as database:
        desk = Desk(database, catalogue, tmp_path)
        from tests.integration import raster_desk

        monkeypatch.setattr(raster_desk, "AREA", raster_desk.BBox(103.5, 22.0, 104.5, 22.9))
        file = {"transform": METRES, "crs": "EPSG:9208"}
        desk.add("elevation", np.arange(25, dtype=np.float32).reshape(5, 5), file=file)
        with desk.client() as client:
            document = ask(client, "elevation", "coverage", f="covjson").json()
            assert document["domain"]["axes"]["x"]["values"][0] == 410_050
            assert document["domain"]["referencing"][0]["system"]["id"].endswith("/9208")
            point = ask(client, "elevation", "position", coords=f"POINT({lon} {lat})").json()
            assert point["ranges"]["elevation"]["values"] == [6]
            near = ask(client, "elevation", "position", crs="EPSG:9208",
                       coords="POINT(410150 2479850)").json()  # fmt: skip
            assert near["ranges"]["elevation"]["values"] == [6]
            picture = client.get(f"/rasters/elevation/point?lon={lon}&lat={lat}").json()
            assert picture["value"] == 6


def test_a_raster_in_which_each_pixel_has_a_value_keeps_its_greatest(
    postgres, toy_template, catalogue, tmp_path, monkeypatch
):
    """255 in a byte is a value where nothing says that it means none."""
    monkeypatch.setattr(loader, "run_confined", loader.run_here)
    with postgres.opened(toy_template) as database:
        desk = Desk(database, catalogue, tmp_path)
        grid = {"transform": from_origin(104.0, 22.1, 0.1 / 600, 0.1 / 600)}
        desk.add("elevation", np.full((600, 1800), 255, np.uint8), file=grid, nodata=())
        with desk.client() as client:
            pixels, _, _ = tif(ask(client, "elevation", "coverage", crs="EPSG:9208", width=90))
            triangle = "POLYGON((104 22,104.05 22,104 22.05,104 22))"
            area = values_of(ask(client, "elevation", "area", coords=triangle, crs="CRS84").json())
    inner = pixels[0, 10:-10, 10:-10]
    assert (inner == 255).all() and not np.ma.getmaskarray(inner).any()
    assert 0.4 < np.isfinite(area).mean() < 0.6


@pytest.mark.parametrize(
    ("values", "nodata"), [([0, 255], "nan"), ([0, 7], "255.0"), ([255], "0.0")]
)
def test_what_lies_outside_an_area_is_written_as_no_value_of_it(values, nodata):
    pixels = np.array([[values]], np.uint8)
    pixels = np.concatenate([pixels, pixels], axis=1)
    has_value = np.zeros(pixels.shape, bool)
    has_value[:, 0] = True
    grid = RasterGrid("EPSG:4326", len(values), 2, 104.0, 22.1, 0.01, 0.01)
    step = StoredRaster(1, "a", None, "a.tif", "uint8", None, {}, 0, "", False, BEGIN, "")
    with rasterio.open(
        io.BytesIO(geotiff(RasterCube(grid, (step,), pixels, has_value), "m"))
    ) as file:
        assert str(file.nodata) == nodata
        written = file.read(1, masked=True)
    assert written[0].tolist() == values and np.ma.getmaskarray(written)[1].all()


BEGIN = datetime(2024, 9, 1, tzinfo=UTC)
