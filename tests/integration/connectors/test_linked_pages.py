"""OGC API Features (this service itself) and SensorThings: pages along links."""

import pytest

from api.demo_sources.sensorthings import ROOT, DemoSensorThings, hourly_rain
from api.demo_sources.server import DemoAnswer, json_answer
from gis.errors import BadFile, SourceRefused
from tests.integration.connectors.faulty import connector, faulty, first_batch, read
from tests.integration.ogc_app import ogc_app, serving


@pytest.fixture(scope="module")
def communes(postgres, toy_template, catalogue):
    """The address of the collection of communes of this service."""
    with (
        postgres.opened(toy_template) as database,
        serving(ogc_app(database, catalogue.layers)) as url,
    ):
        yield f"{url}/ogc/collections/communes"


def test_this_service_is_read_page_by_page(communes):
    reading = read(connector("ogc_features", url=communes, limit=2))
    assert [len(batch.records) for batch in reading.batches] == [2, 1]
    assert reading.is_whole
    assert len({record["feature_id"] for record in reading.records}) == 3
    for record in reading.records:
        (x, y), *_ = record["geometry"]["coordinates"][0][0]
        assert x > 90 > y  # longitude first
        assert record["name"]


def test_it_goes_on_after_the_page_that_was_stored(communes):
    first = first_batch(connector("ogc_features", url=communes, limit=2))
    rest = read(connector("ogc_features", url=communes, limit=2), first.cursor)
    ids = [record["feature_id"] for record in [*first.records, *rest.records]]
    assert len(set(ids)) == len(ids) == 3
    assert rest.is_whole


def test_a_parameter_that_it_does_not_know_is_said(communes):
    with pytest.raises(SourceRefused, match="answered 400"):
        read(connector("ogc_features", url=communes, query={"nonsense": "1"}))


@pytest.fixture
def server():
    with faulty(DemoSensorThings().pages()) as running:
        yield running


def feature(number: int, **properties):
    point = {"type": "Point", "coordinates": [104.0, 22.0]}
    return {"type": "Feature", "id": number, "geometry": point, "properties": properties}


def collection(features, following=None, **members):
    links = [{"rel": "self", "href": "/x"}]
    links += [{"rel": "next", "href": following}] if following else []
    return {"type": "FeatureCollection", "features": features, "links": links, **members}


def test_changes_are_asked_for_by_time(server):
    server.pages["/c"] = lambda request: json_answer(
        collection([feature(1, at="2025-09-02T00:00:00Z"), feature(2, at="2025-09-01T00:00:00Z")])
    )
    first = read(connector("ogc_features", url=server.base + "/c", changed="at"))
    assert first.is_whole
    second = read(connector("ogc_features", url=server.base + "/c", changed="at"), first.cursor)
    assert server.asked[-1].query["datetime"] == "2025-09-02T00:00:00Z/.."
    assert not second.is_whole


@pytest.mark.parametrize("following", ["/c/items?limit=1000", "/c/items?again", "/c/items?n={}"])
def test_links_in_a_circle_are_found(server, following):
    server.pages["/c"] = lambda request: json_answer(
        collection([feature(1)], following.format(len(server.asked)))
    )
    with pytest.raises(SourceRefused, match="circle"):
        read(connector("ogc_features", url=server.base + "/c"))
    assert len(server.asked) <= 3


def test_another_reference_system_is_refused(server):
    server.pages["/c"] = lambda request: json_answer(
        collection([feature(1)]),
        **{"Content-Crs": "<http://www.opengis.net/def/crs/EPSG/0/4326>"},
    )
    with pytest.raises(SourceRefused, match="CRS84"):
        read(connector("ogc_features", url=server.base + "/c"))


def test_fewer_features_than_matched_are_not_whole(server):
    server.pages["/c"] = lambda request: json_answer(collection([feature(1)], numberMatched=2))
    assert not read(connector("ogc_features", url=server.base + "/c")).is_whole


def test_a_link_with_the_address_within_is_asked_for_at_the_address_outside(server):
    def answer(request):
        if "page" in request.query:
            return json_answer(collection([feature(2)]))
        return json_answer(collection([feature(1)], "http://127.0.0.1:1/c/items?page=2"))

    server.pages["/c"] = answer
    assert len(read(connector("ogc_features", url=server.base + "/c")).records) == 2


@pytest.mark.parametrize("body", [b"[]", b'{"features": 1}', b'{"features": [1]}', b"{}", b"null"])
def test_what_is_no_collection_is_refused(server, body):
    server.pages["/c"] = lambda request: DemoAnswer(body)
    with pytest.raises(BadFile):
        read(connector("ogc_features", url=server.base + "/c"))


def observations(server, **options):
    return connector("sensorthings", url=server.base + ROOT, **options)


def test_observations_come_with_their_station(server):
    reading = read(observations(server, top=50, expand="Datastream($expand=Thing)"))
    assert [len(batch.records) for batch in reading.batches] == [50, 50, 20]
    assert [record["@iot.id"] for record in reading.records] == list(range(1, 121))
    assert reading.is_whole
    assert reading.records[0]["Datastream"]["Thing"]["name"] == "Sa Pa"
    assert reading.records[0]["phenomenonTime"].count("/") == 1


def test_observations_go_on_and_then_come_by_time(server):
    first = first_batch(observations(server, top=50, changed="resultTime"))
    rest = read(observations(server, top=50, changed="resultTime"), first.cursor)
    assert [r["@iot.id"] for r in [*first.records, *rest.records]] == list(range(1, 121))
    newest = max(record["resultTime"] for record in rest.records)
    assert rest.cursor == {"since": newest}
    server.pages[f"{ROOT}/Observations"] = DemoSensorThings(hourly_rain(41)).answer
    later = read(observations(server, top=50, changed="resultTime"), rest.cursor)
    assert [record["@iot.id"] for record in later.records] == [118, 119, 120, 121, 122, 123]
    assert not later.is_whole


def test_links_of_sensorthings_in_a_circle_are_found(server):
    page = {"value": [{"@iot.id": 1}], "@iot.nextLink": "/a"}
    server.pages[f"{ROOT}/Observations"] = lambda request: json_answer(page)
    server.pages["/a"] = lambda request: json_answer(page)
    with pytest.raises(SourceRefused, match="circle"):
        read(observations(server))
