"""ArcGIS layers: by ranges of OBJECTID, each feature once, faults that come with status 200."""

import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.demo_sources.arcgis import LAYER, DemoArcgis, health_facilities
from api.demo_sources.server import DemoAnswer, json_answer
from gis.connectors.arcgis import _iso_times
from gis.connectors.esri_geometry import geojson_from_esri
from gis.errors import BadFile, SourceRefused, SourceUnavailable
from tests.integration.connectors.faulty import connector, faulty, first_batch, read, surroundings
from tests.waiting import wait_until


@pytest.fixture
def demo():
    return DemoArcgis()


@pytest.fixture
def server(demo):
    with faulty(demo.pages()) as running:
        yield running


def layer(server, **options):
    return connector("arcgis", url=server.base + LAYER, **options)


def test_each_feature_comes_once_in_the_order_of_its_number(server):
    reading = read(layer(server))
    numbers = [record["OBJECTID"] for record in reading.records]
    assert numbers == [1 + index * 2 for index in range(120)]
    assert reading.is_whole
    assert [len(batch.records) for batch in reading.batches] == [50, 50, 20]
    assert all("mô phỏng" in record["GHI_CHU"] for record in reading.records)


def test_dates_of_the_epoch_become_times_and_shapes_geojson(server, demo):
    record = read(layer(server)).records[0]
    assert record["last_edited_date"] == "2025-06-30T17:00:00+00:00"
    assert record["NGAY_TL"] < "1970"
    shape = demo.features[0]["geometry"]
    assert record["geometry"] == {"type": "Point", "coordinates": [shape["x"], shape["y"]]}


def test_a_reading_that_was_left_goes_on_after_its_last_feature(server):
    first = first_batch(layer(server))
    rest = read(layer(server), first.cursor)
    numbers = [record["OBJECTID"] for record in [*first.records, *rest.records]]
    assert numbers == [1 + index * 2 for index in range(120)]
    assert rest.is_whole


def test_a_later_reading_of_changes_gets_them_alone(server, demo):
    first = read(layer(server, changes_only=True))
    assert first.is_whole
    assert len(first.records) == 120
    later = health_facilities(120)
    later[3]["attributes"]["last_edited_date"] = 1_900_000_000_000
    demo.features = [*later, *health_facilities(121)[120:]]
    second = read(layer(server, changes_only=True), first.cursor)
    assert [record["OBJECTID"] for record in second.records] == [7, 239, 241]  # 239: the overlap
    assert not second.is_whole
    assert second.cursor["since"] > first.cursor["since"]


def test_a_server_that_gives_fewer_than_it_says_is_asked_for_halves(server, demo):
    description = demo._description()
    demo._description = lambda: description | {"maxRecordCount": 2_000}
    assert len(read(layer(server)).records) == 120


def test_features_that_are_named_and_do_not_come_are_a_fault(server, demo):
    answer = demo.answer

    def lossy(request):
        said = answer(request)
        if "returnIdsOnly" in request.form or request.path == LAYER:
            return said
        return json_answer({"features": list(demo.features[:3])})

    server.pages[LAYER] = lossy
    with pytest.raises(SourceUnavailable, match="named 50 features and gave 3"):
        read(layer(server))


@pytest.mark.parametrize(("may_be_empty", "is_whole"), [(False, False), (True, True)])
def test_a_layer_that_says_it_is_empty_deletes_nothing_unasked(
    server, demo, may_be_empty, is_whole
):
    demo.features = []
    reading = read(layer(server, may_be_empty=may_be_empty))
    assert reading.records == []
    assert reading.is_whole == is_whole


def test_a_token_is_sent_and_one_that_expired_is_reported_without_it(server, demo):
    demo.token = "good"
    around = surroundings({"T": "good"})
    url = server.base + LAYER
    assert read(connector("arcgis", around, url=url, token="{secret:T}")).is_whole
    demo.token = "new"
    with pytest.raises(SourceRefused, match="498") as caught:
        read(connector("arcgis", around, url=url, token="{secret:T}"))
    assert "good" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 400, "message": "Cannot perform query"}, SourceRefused),
        ({"code": 403, "message": "no right"}, SourceRefused),
        ({"code": 500, "message": "Error performing query", "details": ["x"]}, SourceUnavailable),
        ({"code": 504}, SourceUnavailable),
    ],
)
def test_a_fault_with_status_200_is_a_fault(server, error, kind):
    server.pages[LAYER] = lambda request: json_answer({"error": error})
    with pytest.raises(kind, match=str(error["code"])) as caught:
        read(layer(server))
    assert type(caught.value) is kind


def test_an_address_that_is_no_layer_says_what_one_is(server):
    server.pages["/arcgis"] = lambda request: json_answer({"currentVersion": 11.1, "services": []})
    with pytest.raises(BadFile, match="FeatureServer/0"):
        read(connector("arcgis", url=server.base + "/arcgis/rest"))


def ring(x: float, y: float, size: float, *, is_hole: bool = False) -> list[list[float]]:
    corners = [[x, y], [x, y + size], [x + size, y + size], [x + size, y], [x, y]]
    return corners[::-1] if is_hole else corners


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ({"x": 1, "y": 2, "z": 3}, {"type": "Point", "coordinates": [1, 2]}),
        ({"x": "NaN", "y": "NaN"}, None),
        ({"x": None}, None),
        ({"points": []}, None),
        ({"points": [[1, 2, 9]]}, {"type": "MultiPoint", "coordinates": [[1, 2]]}),
        (
            {"paths": [[[0, 0], [1, 1]], [[2, 2]]]},
            {"type": "LineString", "coordinates": [[0, 0], [1, 1]]},
        ),
        ({"rings": []}, None),
        ({"curveRings": []}, BadFile),
        (
            {"rings": [ring(1, 1, 1, is_hole=True), ring(0, 0, 9), ring(20, 0, 2)]},
            {
                "type": "MultiPolygon",
                "coordinates": [[ring(20, 0, 2)], [ring(0, 0, 9), ring(1, 1, 1, is_hole=True)]],
            },
        ),
        (  # an island within a hole
            {"rings": [ring(0, 0, 9), ring(1, 1, 7, is_hole=True), ring(2, 2, 2)]},
            {
                "type": "MultiPolygon",
                "coordinates": [[ring(2, 2, 2)], [ring(0, 0, 9), ring(1, 1, 7, is_hole=True)]],
            },
        ),
        (  # wound the wrong way round
            {"rings": [ring(0, 0, 9, is_hole=True)]},
            {"type": "Polygon", "coordinates": [ring(0, 0, 9, is_hole=True)]},
        ),
    ],
)  # fmt: skip
def test_shapes_of_esri_become_geojson(shape, wanted):
    if wanted is BadFile:
        with pytest.raises(BadFile):
            geojson_from_esri(shape)
    else:
        assert geojson_from_esri(shape) == wanted


def test_the_next_page_is_asked_for_while_the_last_is_stored(server):
    source = layer(server)
    batches = source.read({})
    pages = lambda: sum("orderByFields" in each.form for each in server.asked)  # noqa: E731
    next(batches)
    wait_until(lambda: pages() == 2)
    next(batches)
    wait_until(lambda: pages() == 3)
    batches.close()
    source.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("arcgis")]


def test_a_page_that_fails_takes_nothing_from_those_before_it(server, demo):
    answer, asked = demo.answer, []

    def failing(request):
        if "orderByFields" in request.form:
            asked.append(request)
            if len(asked) == 2:
                return DemoAnswer(b"", 500)
        return answer(request)

    server.pages[LAYER] = failing
    with closing(layer(server)) as source:
        batches = source.read({})
        assert len(next(batches).records) == 50
        with pytest.raises(SourceUnavailable):
            next(batches)


@given(
    st.lists(
        st.integers(-(10**15), 10**15)
        | st.integers(-(10**12), 10**12).map(lambda each: each * 1000)
        | st.floats(-1e15, 1e15)
        | st.none()
        | st.text(max_size=3)
    )
)
def test_times_of_a_page_are_those_of_its_values_one_by_one(values):
    def alone(value):
        try:
            return datetime.fromtimestamp(value / 1000, UTC).isoformat()
        except (TypeError, OverflowError, ValueError, OSError):
            return None

    assert _iso_times(values) == [alone(value) for value in values]


def test_the_first_and_the_last_year_are_times_and_what_lies_beyond_stays():
    bounds = [-62_135_596_800_000, 253_402_300_799_000]
    assert _iso_times(bounds) == ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"]
    assert _iso_times([bounds[0] - 1000, bounds[1] + 1000]) == [None, None]
