"""WFS by a real MapServer: both versions, both formats, order of axes, pages, faults."""

import json
import re
from dataclasses import replace

import pytest

from api.demo_sources.server import DemoAnswer, json_answer
from gis.errors import BadFile, SourceRefused
from tests.integration.connectors.faulty import connector, faulty, first_batch, read
from tests.integration.connectors.map_server import NAMES, PROGRAM, map_server, write_map

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="no MapServer: install cgi-mapserver")
EXCEPTION = b"""<?xml version="1.0"?><ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1"
 version="2.0.0"><ows:Exception exceptionCode="NoApplicableCode"><ows:ExceptionText>ORA-01017
 </ows:ExceptionText></ows:Exception></ows:ExceptionReport>"""


@pytest.fixture
def server(tmp_path):
    """Of GML alone."""
    with faulty({"/wfs": map_server(write_map(tmp_path))}) as running:
        yield running


@pytest.fixture
def json_server(tmp_path):
    with faulty({"/wfs": map_server(write_map(tmp_path, formats="geojson"))}) as running:
        yield running


def communes(server, **options):
    return connector("wfs", url=server.base + "/wfs", type_name="communes", **options)


def check(records):
    assert [record["ten"] for record in records] == list(NAMES)
    assert [record["ma"] for record in records] == [f"{n:05d}" for n in range(len(NAMES))]
    for n, record in enumerate(records):
        x, y = record["geometry"]["coordinates"]
        assert (round(x, 6), round(y, 6)) == (round(103.5 + n / 10, 6), round(22.0 + n / 20, 6))


@pytest.mark.parametrize(("formats", "sort_by"), [("", None), ("geojson", None), ("geojson", "ma")])
@pytest.mark.parametrize("version", ["2.0.0", "1.1.0"])
def test_each_version_and_format_gives_longitude_first(tmp_path, version, formats, sort_by):
    with faulty({"/wfs": map_server(write_map(tmp_path, formats=formats))}) as server:
        reading = read(communes(server, version=version, sort_by=sort_by))
    check(reading.records)
    assert reading.is_whole
    wanted = {"json"} if formats else {"gml", ""}
    asked = server.asked[-1].query.get("outputformat", "")
    assert any(word in asked for word in wanted)


@pytest.mark.parametrize("projection", ["3857", "3405"])
def test_coordinates_of_another_system_are_transformed(tmp_path, projection):
    with faulty({"/wfs": map_server(write_map(tmp_path, projection=projection))}) as server:
        check(read(communes(server)).records)
        assert projection in server.asked[-1].query["srsname"]


def test_pages_are_sorted_and_go_on_where_they_were_left(json_server):
    server = json_server
    reading = read(communes(server, sort_by="ma", page=4))
    assert [len(batch.records) for batch in reading.batches] == [4, 2]
    check(reading.records)
    assert all(one.query["sortby"] == "ma" for one in server.asked if "startindex" in one.query)
    first = first_batch(communes(server, sort_by="ma", page=4))
    rest = read(communes(server, sort_by="ma", page=4), first.cursor)
    check([*first.records, *rest.records])
    assert rest.is_whole


def test_a_server_that_gives_fewer_at_a_time_asks_for_a_column_to_sort_by(json_server, monkeypatch):
    """Its limit, which it does not declare, is a round number."""
    monkeypatch.setattr("gis.connectors.wfs._ROUND", 4)
    right = json_server.pages["/wfs"]

    def capped(request):
        query = dict(request.query)
        if "resulttype" not in query:
            query["count"] = str(min(4, int(query.get("count", 4))))
        return right(replace(request, query=query))

    json_server.pages["/wfs"] = capped
    with pytest.raises(SourceRefused, match=r"4 of 6 .*sort_by"):
        read(communes(json_server))
    for page in (4, 5):  # as many as it gives, and more
        check(read(communes(json_server, sort_by="ma", page=page)).records)


def test_an_unknown_type_and_a_wrong_format_are_said(server):
    with pytest.raises(SourceRefused, match="no type commune: it has ms:communes"):
        read(connector("wfs", url=server.base + "/wfs", type_name="commune"))
    with pytest.raises(SourceRefused, match="not a permitted output format"):
        read(communes(server, format="nonsense"))


def test_a_report_of_a_fault_with_status_200_is_a_fault(server):
    right = server.pages["/wfs"]
    for failing in ("GetCapabilities", "GetFeature"):
        server.pages["/wfs"] = lambda request, failing=failing: (
            DemoAnswer(EXCEPTION) if request.query["request"] == failing else right(request)
        )
        with pytest.raises(SourceRefused, match="ORA-01017"):
            read(communes(server))


def test_no_features_are_no_whole_reading(server):
    right = server.pages["/wfs"]

    def empty(request):
        said = right(request)
        body = said.body.replace(b'Matched="6"', b'Matched="0"')
        body = re.sub(rb"<wfs:member>.*</wfs:member>", b"", body, flags=re.S)
        return DemoAnswer(body, 200, said.headers)

    server.pages["/wfs"] = empty
    assert not read(communes(server)).is_whole
    assert read(communes(server, may_be_empty=True)).is_whole


def test_a_cut_gml_and_a_doctype_are_no_features(server):
    right = server.pages["/wfs"]
    for spoil in (lambda body: body[:-40], lambda body: b"<!DOCTYPE a []>" + body[38:]):
        server.pages["/wfs"] = lambda request, spoil=spoil: (
            right(request)
            if request.query["request"] == "GetCapabilities" or "resulttype" in request.query
            else DemoAnswer(spoil(right(request).body))
        )
        with pytest.raises(BadFile):
            read(communes(server))


def test_geojson_that_turns_its_axes_is_turned_back(json_server):
    """Some servers write GeoJSON with the latitude first when asked by a URN."""
    right = json_server.pages["/wfs"]

    def turned(request):
        said = right(request)
        if "json" not in said.headers["Content-Type"]:
            return said
        document = json.loads(said.body)
        for feature in document["features"]:
            feature["geometry"]["coordinates"].reverse()
        return json_answer(document)

    json_server.pages["/wfs"] = turned
    check(read(communes(json_server)).records)
