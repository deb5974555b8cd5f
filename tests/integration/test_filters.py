"""Filters over HTTP: every route that takes one refuses what cannot be read or computed."""

import asyncio
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import create_app
from api.ogc.parameters import ITEMS
from gis.settings import Settings
from layers.cql2.parser import LONGEST_TEXT
from layers.definition.catalogue import Catalogue
from layers.ingest.load import LoadOptions, load_file
from tests.databases import Server
from tests.integration.ogc_app import serving
from tests.integration.test_routes import HEADER, LINES
from tests.unit.cql2.filter_texts import CHAINS, NESTS, Nest, hostile, longest_chain, nested

LAYER = "citizen_reports"
ROUTES = {  # those known; the test asks every route whether it takes a filter
    f"/summary/{LAYER}",
    f"/tiles/{LAYER}/0/0/0.mvt",
    f"/tiles/{LAYER}/0/0/0.pbf",
    f"/ogc/collections/{LAYER}/tiles/WebMercatorQuad/0/0/0",
    f"/ogc/collections/{LAYER}/items",
    f"/ogc/collections/{LAYER}/dggs/H3/zones",
    "/ogc/dggs/H3/zones",
}
ITEMS_ROUTE = f"/ogc/collections/{LAYER}/items"
HELD_MOST_S = 0.1
TICK_S = 0.005


class Ticking:
    """An application, and how long its event loop was held at most since it was asked last."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._held_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._task = asyncio.create_task(self._tick())
        await self.app(scope, receive, send)

    async def _tick(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK_S)
            self._held_s = max(self._held_s, time.perf_counter() - before - TICK_S)

    def held_s(self) -> float:
        held, self._held_s = self._held_s, 0.0
        return held


class Service(httpx.Client):
    app: Any
    ticking: Ticking

    def held_s(self, path: str, **parameters: str) -> float:
        """How long the loop was held by this request: the least of some tries, as the machine too
        may hold it.
        """
        held = HELD_MOST_S + 1
        for _ in range(5):
            self.ticking.held_s()
            answer = self.get(path, params=parameters)
            assert answer.status_code in (200, 204, 400), answer.text[:500]
            held = min(held, self.ticking.held_s())
            if held <= HELD_MOST_S:
                break
        return held


@pytest.fixture(scope="module")
def http(
    postgres: Server,
    toy_template: str,
    catalogue: Catalogue,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Four records, which no test here changes."""
    path = tmp_path_factory.mktemp("filters") / "reports.csv"
    path.write_text(HEADER + LINES, encoding="utf-8")
    with postgres.opened(toy_template) as database:
        options = LoadOptions(who="tests", source="tests")
        load_file(database, catalogue.get(LAYER), path, options)
        app = create_app(Settings(_env_file=None), database, catalogue)
        ticking = Ticking(app)
        with serving(ticking) as url, Service(base_url=url, timeout=60) as client:
            client.app, client.ticking = app, ticking
            yield client


def _paths(routes: Any) -> Iterator[str]:
    """The paths of all routes that are read, in a collection, a tile or a zone that there is."""
    values = {"layer_id": LAYER, "z": "0", "x": "0", "y": "0", "zone": "8865b1b6dbfffff"}
    for route in routes:
        inner = getattr(
            route, "original_router", route
        )  # FastAPI has routers in the place of routes
        if hasattr(inner, "routes"):
            yield from _paths(inner.routes)
        elif "GET" in (getattr(route, "methods", None) or ()):
            yield re.sub(r"\{(\w+)(:\w+)?\}", lambda name: values.get(name[1], "1"), route.path)


def test_the_routes_that_take_a_filter_are_those_that_are_tested_here(http: Service) -> None:
    found = set()
    for path in dict.fromkeys(_paths(http.app.routes)):
        with http.stream("GET", path, params={"filter": "((("}) as answer:  # some never end
            if answer.status_code == 400 and b"not CQL2 text" in answer.read():
                found.add(path)
    assert found == ROUTES


def _number(path: str) -> str:
    """A property of the path that is a number."""
    if "dggs" not in path:
        return "place_confidence"
    return "count" if "collections" in path else f"{LAYER}_count"


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_no_filter_holds_the_event_loop(http: Service, path: str) -> None:
    """From small ones on: one that is read in exponential time shows before it takes for ever."""
    for times in (18, 40):
        for nest in ("brackets", "lists on the left", "IN of two", "WKT"):
            torn = NESTS[nest].opening * times + " id = 1"
            assert http.held_s(path, filter=torn) <= HELD_MOST_S
            assert http.held_s(path, filter=nested(NESTS[nest], times)) <= HELD_MOST_S
    named = {"depth": _number(path), "name": "description", "closed": "1=1"}
    for kind in ("AND", "OR", "sums", "numbers of IN", "words of a search"):
        parts = (re.sub(r"\w+", lambda w: named.get(w[0], w[0]), part) for part in CHAINS[kind])
        assert http.held_s(path, filter=longest_chain(Nest(*parts))) <= HELD_MOST_S


def test_no_filter_of_any_kind_holds_the_event_loop(http: Service) -> None:
    for language, text in list(hostile(LONGEST_TEXT))[::9]:
        held = http.held_s(ITEMS_ROUTE, **{"filter": text, "filter-lang": language})
        assert held <= HELD_MOST_S, text[:80]


@pytest.mark.parametrize(
    "filter_",
    [
        "10 ^ 300 * 10 ^ 300 > place_confidence",
        "place_confidence * 1e300 * 1e300 > 1",
        "place_confidence ^ 100000 * 1e300 ^ 2 = 1",
        "(place_confidence - place_confidence) ^ -1 = 1",
        "(0 - place_confidence) ^ 0.5 = 1",
        "1e300 + 1e300 * 1e10 > place_confidence",
        "0.1 ^ (place_confidence * 0 + 400) = 1",
    ],
)
def test_what_the_database_cannot_compute_is_a_wrong_query(http: Service, filter_: str) -> None:
    for path in sorted(path for path in ROUTES if "dggs" not in path):
        answer = http.get(path, params={"filter": filter_})
        assert answer.status_code == 400, f"{path}: {answer.text}"
        assert "out of range" in answer.json()["detail"]
    for format_ in ("html", "csv", "fgb", "parquet"):
        answer = http.get(ITEMS_ROUTE, params={"filter": filter_, "f": format_})
        assert answer.status_code == 400, f"{format_}: {answer.text}"


def test_what_cannot_be_computed_of_zones_is_a_wrong_query(http: Service) -> None:
    for path in sorted(path for path in ROUTES if "dggs" in path):
        filter_ = f"10 ^ 300 * 10 ^ 300 > {_number(path)}"
        answer = http.get(path, params={"filter": filter_})
        assert answer.status_code == 400, f"{path}: {answer.text}"


GEOMETRY = '{"op":"s_intersects","args":[{"property":"geom"},%s]}'
WRONG = [
    ("category = 'a\0b'", "NUL"),
    ("CASEI(category) LIKE CASEI('\0')", "NUL"),
    ("category IN ('a', '\0')", "NUL"),
    ("\"cat\0\" = 'a'", "no property"),
    ("cat\0 = 'a'", "no part of CQL2"),
    ("category LIKE '\\'", "write \\\\ for a backslash"),
    ("category LIKE 'a\\\\\\'", "write \\\\ for a backslash"),
    ("ACCENTI(category) LIKE ACCENTI(CASEI('%\\'))", "write \\\\ for a backslash"),
    ("id = 1e400", "too large"),
    ("id = -1e308", "too large"),
    (f"id = {'9' * 400}", "too large"),
    (f"id = {'9' * 5_000}", "too large"),
    ("id IN (1, 1e301)", "too large"),
    ("id = 1e99999999999999999999", "too large"),
    ("S_INTERSECTS(geom, BBOX(1, 2, 1e400, 4))", "four numbers"),
    ("S_INTERSECTS(geom, POINT(1e400 1))", "too large"),
    ("S_INTERSECTS(geom, POINT(1))", "wrong coordinates"),
    ("S_INTERSECTS(geom, LINESTRING(1 1))", "wrong coordinates"),
    ("S_INTERSECTS(geom, POLYGON((0 0, 1 1, 2 2)))", "wrong coordinates"),
    ("S_INTERSECTS(geom, POLYGON((0 0, 2 2, 0 2, 2 0, 0 0)))", "not valid"),
    ("S_INTERSECTS(geom, MULTIPOLYGON EMPTY)", "empty"),
    ("S_INTERSECTS(geom, GEOMETRYCOLLECTION EMPTY)", "empty"),
    ("valid_at > TIMESTAMP('0000-01-01T00:00:00Z')", "not an instant"),
    ("valid_at > TIMESTAMP('0001-01-01T00:00:00+14:00')", "not an instant"),
    ("valid_at > TIMESTAMP('9999-12-31T23:59:59-14:00')", "not an instant"),
    ("valid_at > TIMESTAMP('2024-09-31T00:00:00Z')", "not an instant"),
    ("valid_at > TIMESTAMP('2024-09-10T00:00:00+99:00')", "not an instant"),
    ("T_AFTER(valid_at, DATE('10000-01-01'))", "not a day"),
    ("T_AFTER(valid_at, DATE('-001-01-01'))", "not a day"),
    ("T_DURING(valid_at, INTERVAL('2024-09-10', '99999-01-01'))", "not a day"),
    ('{"op":"=","args":[{"property":"category"},"\\u0000"]}', "NUL"),
    ('{"op":"=","args":[{"property":"\\u0000"},"a"]}', "no property"),
    ('{"op":"=","args":[{"property":"id"},1e400]}', "not JSON"),
    ('{"op":"=","args":[{"property":"id"},1e308]}', "too large"),
    ('{"op":"like","args":[{"property":"category"},"\\\\"]}', "for a backslash"),
    (GEOMETRY % '{"type":"Point","coordinates":[null,null]}', "empty"),
    (GEOMETRY % '{"type":"Point","coordinates":[]}', "empty"),
    (GEOMETRY % '{"type":"Polygon","coordinates":[[[0,0],[1,1],[1]]]}', "wrong coordinates"),
    (GEOMETRY % '{"type":"LineString","coordinates":[[0,0],["a","b"]]}', "wrong coordinates"),
    (GEOMETRY % '{"type":"GeometryCollection","geometries":[3]}', "wrong coordinates"),
    (GEOMETRY % '{"type":"GeometryCollection","geometries":[]}', "empty"),
    (GEOMETRY % '{"bbox":[1,2,3,null]}', "four numbers"),
]
RIGHT = {  # what has an answer, and how many of the four records
    "place_confidence / 0 = 1": 0,
    "place_confidence % 0 = 1": 0,
    "place_confidence DIV 0 = 1": 0,
    "1 / 0 = 1": 0,
    "1e300 > place_confidence": 3,
    "id > -9223372036854775807": 3,
    "id < 9223372036854775808": 3,
    "id < 18446744073709551616": 3,
    "id = 1e18": 0,
    "category LIKE '\\\\'": 0,
    "category LIKE '%_'": 3,
    "T_BEFORE(valid_at, DATE('9999-12-31'))": 3,
    "T_AFTER(valid_at, DATE('0001-01-01'))": 3,
    "T_DURING(valid_at, INTERVAL('0001-01-01', '9999-12-31'))": 3,
    "S_INTERSECTS(geom, BBOX(-180, -90, 180, 90))": 2,
    "S_INTERSECTS(geom, POINT(1e300 1e300))": 0,
    "category IN ('traffic', CASEI('SECURITY'))": 3,
    "place_confidence IN (1, 0.5)": 3,
}


@pytest.mark.parametrize(("filter_", "words"), WRONG)
def test_what_is_out_of_range_is_refused_in_words(http: Service, filter_: str, words: str) -> None:
    language = "cql2-json" if filter_.startswith("{") else "cql2-text"
    answer = http.get(ITEMS_ROUTE, params={"filter": filter_, "filter-lang": language})
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["detail"]


def test_what_has_an_answer_is_answered(http: Service) -> None:
    found = {}
    for filter_ in RIGHT:
        answer = http.get(ITEMS_ROUTE, params={"filter": filter_})
        assert answer.status_code == 200, answer.text
        found[filter_] = len(answer.json()["features"])
    assert found == RIGHT


def test_a_geometry_to_and_fro_in_metres_is_answered(http: Service) -> None:
    corners = ",".join(f"{300_000 + i} {2_400_000 + 90_000 * (i % 2)}" for i in range(900))
    for parameters in (
        {"filter": f"S_INTERSECTS(geom, LINESTRING({corners}))"},
        {"filter": f"S_DISJOINT(geom, MULTIPOINT({corners}))"},
    ):
        crs = {"filter-crs": "http://www.opengis.net/def/crs/EPSG/0/32648"}
        assert http.get(ITEMS_ROUTE, params=parameters | crs).status_code == 200


def test_no_parameter_of_items_with_a_nul_or_beyond_all_bounds_is_an_accident(
    http: Service,
) -> None:
    described = http.get(f"/ogc/collections/{LAYER}/queryables").json()["properties"]
    beyond = (
        "a\0b", "\0", "1e400", "-1e400", "9" * 400, "9" * 5_000, "9223372036854775808",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0000-01-01", "9999-12-31",
        "1e300,1e300,1e301,1e301", "\\", "\ud7ff\uffff",
    )  # fmt: skip
    for name in (*ITEMS, *described, "f", "lang"):
        for value in beyond:
            answer = http.get(f"{ITEMS_ROUTE}?{name}={quote(value)}")
            assert answer.status_code in (200, 400), f"{name}={value!r}: {answer.text}"
            assert answer.status_code == 400 or "\0" not in value, f"{name}={value!r}"
    for value in beyond:
        answer = http.get(f"{ITEMS_ROUTE}/{quote(value, safe='')}")
        assert answer.status_code in (400, 404), f"{value!r}: {answer.text}"
