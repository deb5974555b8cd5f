"""Each connector over HTTP at a server that fails in each way: an error that says what to do.

A new connector is tested by its line in SOURCES.
"""

import logging

import pytest

from api.demo_sources.arcgis import LAYER, DemoArcgis, health_facilities
from api.demo_sources.feeds import DemoFeeds
from api.demo_sources.sensorthings import ROOT, DemoSensorThings
from api.demo_sources.server import DemoAnswer, DemoRequest
from gis.connectors import CONNECTORS
from gis.connectors.web import WebConnector
from gis.egress import EgressPolicy
from gis.errors import GisError, SourceRefused, SourceUnavailable
from tests.integration.connectors.faulty import FAULTS, connector, faulty, surroundings
from tests.integration.connectors.map_server import map_server, write_map

SENTINEL = "s3ntinel/of a=secret"


def capabilities(folder):
    """A page that says what MapServer did say: it takes its time to start."""
    query = {"service": "WFS", "request": "GetCapabilities", "version": "2.0.0"}
    said = map_server(write_map(folder))(DemoRequest("GET", "/wfs", query, {}, {}, b"", ""))
    return lambda _: said


# Pages, the path, and options with a secret, by the name of the connector.
SOURCES = {
    "http": (
        lambda _: DemoFeeds().pages(),
        "/traffic",
        {"records": "items", "query": {"key": "{secret:K}"}, "headers": {"x-key": "{secret:K}"}},
    ),
    "arcgis": (
        lambda _: DemoArcgis(health_facilities(6)).pages(), LAYER, {"token": "{secret:K}"},
    ),
    "ogc_features": (
        lambda _: DemoFeeds().pages(),
        "/water/levels",
        {"login": {"kind": "basic", "user": "a", "password": "{secret:K}"}},
    ),
    "wfs": (
        lambda folder: {"/wfs": capabilities(folder)},
        "/wfs",
        {"type_name": "communes", "query": {"authkey": "{secret:K}"}},
    ),
    "sensorthings": (
        lambda _: DemoSensorThings().pages(), ROOT, {"headers": {"x-key": "{secret:K}"}},
    ),
}  # fmt: skip
OVER_HTTP = [name for name, kind in CONNECTORS.items() if issubclass(kind, WebConnector)]


def test_each_connector_over_http_is_tested():
    assert set(OVER_HTTP) == set(SOURCES)


@pytest.fixture(scope="module", params=OVER_HTTP)
def source(request, tmp_path_factory):
    """The name of a connector, its server, and the address there with the options."""
    pages, path, options = SOURCES[request.param]
    with faulty(pages(tmp_path_factory.mktemp("source"))) as server:
        yield request.param, server, {"url": server.base + path, **options}


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_an_error_that_says_what_to_do_and_no_secret(source, fault, caplog):
    name, server, options = source
    caplog.set_level(logging.DEBUG)
    server.fault = fault.send
    limits = {"timeout_s": fault.timeout_s, "longest_s": fault.longest_s}
    reader = connector(name, surroundings({"K": SENTINEL}, **limits), **options)
    batches = []
    try:
        with pytest.raises(GisError) as caught:
            batches.extend(reader.read({}))
    finally:
        reader.close()
        server.fault = None
    assert type(caught.value) is fault.error
    assert fault.words in str(caught.value)
    assert not any(batch.ends_whole for batch in batches)
    shown = f"{caught.getrepr(style='short')} {caplog.text} {caught.value!r} {reader.client!r}"
    assert SENTINEL not in shown
    assert "s3ntinel" not in caplog.text + str(caught.value)
    if fault.name in ("503", "429"):
        assert isinstance(caught.value, SourceUnavailable)
        assert caught.value.retry_after_s == 120


def test_a_source_that_says_the_secret_again_does_not_show_it(source):
    """Some servers repeat in their error what they were sent."""
    name, server, options = source

    def echo(server, handler, answer):
        said = f"wrong: {handler.path} {handler.headers}".encode() + server.asked[-1].body
        server.plainly(handler, DemoAnswer(said, 400, {"Content-Type": "text/plain"}))

    server.fault = echo
    reader = connector(name, surroundings({"K": SENTINEL}), **options)
    try:
        with pytest.raises(SourceRefused) as caught:
            list(reader.read({}))
    finally:
        reader.close()
        server.fault = None
    assert "wrong" in str(caught.value)
    for form in (SENTINEL, "s3ntinel", "czNudGluZWw"):
        assert form not in str(caught.value)


def test_an_inner_network_that_is_not_allowed_is_not_reached(source):
    name, server, options = source
    server.asked.clear()
    around = surroundings({"K": SENTINEL})
    strict = type(around)(around.secrets, EgressPolicy((), "GIS_SOURCE_NETWORKS"))
    reader = connector(name, strict, **options)
    with pytest.raises(SourceRefused, match="GIS_SOURCE_NETWORKS"):
        list(reader.read({}))
    reader.close()
    assert server.asked == []


def test_a_host_that_does_not_listen_may_do_so_later(source):
    name, _, options = source
    reader = connector(
        name, surroundings({"K": SENTINEL}), **(options | {"url": "http://127.0.0.1:1/x"})
    )
    with pytest.raises(SourceUnavailable, match="cannot be reached") as caught:
        list(reader.read({}))
    assert not isinstance(caught.value, SourceRefused)
    reader.close()


def test_what_is_no_placeholder_of_ours_stays(source):
    """Options print without the values of their secrets."""
    name, _, options = source
    reader = connector(name, surroundings({"K": SENTINEL}), **options)
    assert SENTINEL not in f"{reader.options!r} {reader.values!r} {vars(reader.options)}"
