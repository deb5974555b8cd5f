"""Reading items of a real table."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from gis.access import ANONYMOUS, LOCAL_ADMIN, Principal, Role
from gis.database.engine import Database
from gis.database.roles import as_owner
from gis.errors import BadFilter, BadInput, NotFound
from layers.items import (
    Box,
    CountKind,
    PageRequest,
    Query,
    SortKey,
    crs_of,
    read_item,
    read_page,
    source_of,
)
from layers.items.literals import span_of
from tests.databases import Server
from tests.integration.ogc_layers import INCIDENTS, SECRET, TRAPS, add, add_five, make_layer

SOURCE = source_of(INCIDENTS)


@pytest.fixture(scope="module")
def five(postgres: Server, migrated: str) -> Iterator[Database]:
    """Five rows that no test here changes."""
    with postgres.opened(migrated) as database:
        make_layer(database)
        add_five(database)
        yield database


def read(database: Database, **wanted: Any) -> list[dict[str, Any]]:
    with database.reading() as connection:
        page = read_page(connection, SOURCE, PageRequest(**wanted), ANONYMOUS)
    return [json.loads(feature) for feature in page.features]


def ids(features: list[dict[str, Any]]) -> list[int]:
    return [feature["id"] for feature in features]


def test_text_comes_out_as_it_went_in(five: Database) -> None:
    with five.reading() as connection:
        raw = read_item(connection, SOURCE, "1", crs_of("[EPSG:4326]"), ANONYMOUS)
    assert json.loads(raw)["properties"]["note"] == TRAPS
    assert "Nước & <b>" in raw, "neither &lt; nor \\uXXXX"


def test_an_item_has_hex_place_and_time_but_nothing_personal(five: Database) -> None:
    first = read(five)[0]
    assert first["geometry"] == {"type": "Point", "coordinates": [103.9, 22.3]}
    assert first["properties"]["h3"] == "8b6512000000fff"
    assert first["properties"]["valid_at"] == "2024-09-10T01:00:00+00:00"
    assert first["properties"]["simulated"] is False
    assert "phone" not in first["properties"] and "source_key" not in first["properties"]


def test_a_row_without_a_point_has_a_null_geometry(five: Database) -> None:
    assert read(five)[-1]["geometry"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(box=Box(103.95, 22, 104.15, 23)), [2, 3]),
        (Query(box=Box(170, 22, 104.0, 23)), [1, 2]),  # across the antimeridian
        (Query(time=span_of("2024-09-11T01:00:00Z")), [2]),
        (Query(time=span_of("2024-09-11")), [2]),
        (Query(time=span_of("2024-09-12T00:00:00Z/..")), [3, 4]),
        (Query(time=span_of("/2024-09-11T01:00:00Z")), [1, 2]),
        (Query(time=span_of("2024-09-12T08:00:00.123456+07:00")), [3]),
        (Query(equal={"kind": "road"}), [2, 3, 5]),
        (Query(equal={"severity": "1", "closed": "true"}), [2]),
        (Query(equal={"seen_on": "2024-09-10"}), [1]),
        (Query(equal={"h3": "8b6512000000fff"}), [1]),
        (Query(equal={"note": "x' OR '1'='1"}), []),
    ],
)
def test_a_query_selects_by_box_time_and_property(
    five: Database, query: Query, expected: list[int]
) -> None:
    assert ids(read(five, query=query)) == expected


def test_queries_of_one_shape_share_their_sql_but_not_their_values(five: Database) -> None:
    boxes = {(103.8, 103.95): [1], (103.95, 104.15): [2, 3], (105.0, 106.0): []}
    for (west, east), expected in boxes.items():
        assert ids(read(five, query=Query(box=Box(west, 22, east, 23)))) == expected
    for kind, expected in {"flood": [1, 4], "road": [2, 3, 5]}.items():
        assert ids(read(five, query=Query(equal={"kind": kind}))) == expected
        for crs in ("[EPSG:4326]", "[EPSG:3857]"):
            features = read(five, query=Query(equal={"kind": kind}), crs=crs_of(crs), limit=1)
            assert features[0]["geometry"] == read_one(five, expected[0], crs)["geometry"]


def read_one(database: Database, row: int, crs: str) -> dict[str, Any]:
    with database.reading() as connection:
        return json.loads(read_item(connection, SOURCE, str(row), crs_of(crs), ANONYMOUS))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Query(equal={"severity": "big"}), "whole number"),
        (lambda: Query(equal={"wind": "1"}), "has no property 'wind'"),
        (lambda: Query(equal={"phone": "0912"}), "has no property 'phone'"),
        (lambda: Query(time=span_of("garbage")), "2024-09-10T08:00:00Z"),
        (lambda: Query(box=Box(1, 2, 3, 1)), "above its upper edge"),
    ],
)
def test_a_wrong_query_is_answered_with_what_would_be_right(
    five: Database, make: Any, words: str
) -> None:
    with pytest.raises((BadInput, BadFilter), match=words):
        read(five, query=make())


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", [103.9, 22.3]),
        ("http://www.opengis.net/def/crs/EPSG/0/4326", [22.3, 103.9]),
        ("urn:ogc:def:crs:EPSG::3857", [11566095.093, 2547582.133]),
        ("[EPSG:32648]", [386692.445, 2466446.121]),
    ],
)
def test_coordinates_come_in_the_crs_and_in_the_order_of_its_axes(
    five: Database, uri: str, expected: list[float]
) -> None:
    got = read(five, crs=crs_of(uri), limit=1)[0]["geometry"]["coordinates"]
    assert got == pytest.approx(expected, abs=2e-3)


def test_the_province_crs_is_not_223_metres_off(database: Database) -> None:
    """The check point of EPSG:9208; without its datum shift it would be 223 m off."""
    make_layer(database)
    add(database, id=1, lon=103.9719054331, lat=22.4790428959)
    got = read(database, crs=crs_of("[EPSG:9208]"))[0]["geometry"]["coordinates"]
    assert got == pytest.approx([419735.6526, 2486912.7857], abs=0.01)
    inside = Box(419735, 2486912, 419736, 2486913, crs_of("[EPSG:9208]"))
    assert ids(read(database, query=Query(box=inside))) == [1]


def test_the_edges_of_a_box_are_densified(database: Database) -> None:
    """Away from the central meridian the upper edge bends south: a point ten metres below its
    middle lies kilometres above the straight line between its corners."""
    make_layer(database)
    crs = crs_of("[EPSG:32648]")
    with database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO layer.incidents (id, geom) SELECT 1, ST_Transform("
                "ST_SetSRID(ST_MakePoint(500000, 2499990), 32648), 4326)"
            )
        )
    corners = Box(200_000, 2_400_000, 800_000, 2_500_000, crs)
    assert ids(read(database, query=Query(box=corners))) == [1]


@pytest.mark.parametrize("key", [None, "note", "severity", "valid_at", "closed", "depth_m"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_forward_and_back_hold_each_row_once(
    five: Database, key: str | None, descending: bool, limit: int
) -> None:
    sort = (SortKey(key, descending),) if key else ()
    whole = ids(read(five, sort=sort))
    assert sorted(whole) == [1, 2, 3, 4, 5]
    forward, pages, cursor = [], [], None
    with five.reading() as connection:
        while True:
            page = read_page(
                connection, SOURCE, PageRequest(limit=limit, sort=sort, cursor=cursor), ANONYMOUS
            )
            pages.append(page)
            forward += [json.loads(feature)["id"] for feature in page.features]
            if page.next is None:
                break
            cursor = page.next
        assert forward == whole
        for later, earlier in zip(pages[:0:-1], pages[-2::-1], strict=True):
            request = PageRequest(limit=limit, sort=sort, cursor=later.prev)
            back = read_page(connection, SOURCE, request, ANONYMOUS)
            assert back.features == earlier.features
            assert back.next is not None
    assert pages[0].prev is None


def test_sorting_text_follows_vietnamese_order_with_nulls_last(five: Database) -> None:
    assert ids(read(five, sort=(SortKey("note"),))) == [1, 4, 3, 2, 5]


def test_a_cursor_of_another_order_is_refused(five: Database) -> None:
    with five.reading() as connection:
        page = read_page(connection, SOURCE, PageRequest(limit=1), ANONYMOUS)
    for cursor in (page.next, "garbage", "W10", "é"):
        with pytest.raises(BadInput, match="cursor"):
            read(five, cursor=cursor, sort=(SortKey("note"),))


def test_few_items_are_counted_exactly_and_many_are_estimated(database: Database) -> None:
    make_layer(database)
    add_five(database)
    with database.reading() as connection:
        page = read_page(connection, SOURCE, PageRequest(limit=2), ANONYMOUS)
    assert (page.count.number, page.count.kind) == (5, CountKind.EXACT)
    with database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO layer.incidents (id, severity)"
                " SELECT i, 9 FROM generate_series(6, 20005) i"
            )
        )
        with as_owner(connection):
            connection.execute(text("ANALYZE layer.incidents"))
    with database.reading() as connection:
        request = PageRequest(limit=2, query=Query(equal={"severity": "9"}))
        page = read_page(connection, SOURCE, request, ANONYMOUS)
        assert page.count.kind is CountKind.ESTIMATED
        assert page.count.number == pytest.approx(20_000, rel=0.1)
        following = read_page(
            connection,
            SOURCE,
            PageRequest(limit=2, query=request.query, cursor=page.next),
            ANONYMOUS,
        )
    assert following.count == page.count, "what the first page found out goes with the cursor"


def test_a_number_that_the_planner_did_not_expect_is_given_as_a_least(database: Database) -> None:
    make_layer(database)
    add_five(database)
    with database.writing() as connection, as_owner(connection):
        connection.execute(text("ALTER TABLE layer.incidents SET (autovacuum_enabled = off)"))
        connection.execute(text("ANALYZE layer.incidents"))
        connection.execute(
            text("INSERT INTO layer.incidents (id, note) SELECT i, 'new' || i"
                 " FROM generate_series(6, 20005) i")
        )  # fmt: skip
    with database.reading() as connection:
        query = Query(condition=SOURCE.by_name["note"].sql.like("new%"))
        page = read_page(connection, SOURCE, PageRequest(limit=2, query=query), ANONYMOUS)
    assert (page.count.number, page.count.kind) == (10_000, CountKind.CAPPED)
    assert [json.loads(feature)["id"] for feature in page.features] == [6, 7]


def test_a_layer_of_departments_does_not_exist_for_others(database: Database) -> None:
    make_layer(database, SECRET)
    department = Principal("d", Role.DEPARTMENT, frozenset({"secret"}))
    with database.reading() as connection:
        for who in (LOCAL_ADMIN, department, Principal("o", Role.OPERATOR)):
            assert read_page(connection, source_of(SECRET), PageRequest(), who).features == []
        for who in (ANONYMOUS, Principal("e", Role.DEPARTMENT, frozenset({"incidents"}))):
            with pytest.raises(NotFound, match="no layer secret"):
                read_page(connection, source_of(SECRET), PageRequest(), who)


@pytest.mark.parametrize("wrong", ["0", "abc", "6", "1e3", "9" * 19, "-1", "८"])
def test_an_unknown_item_is_not_found(five: Database, wrong: str) -> None:
    with five.reading() as connection, pytest.raises(NotFound, match="no item"):
        read_item(connection, SOURCE, wrong, crs_of("[OGC:CRS84]"), ANONYMOUS)


def test_properties_and_geometry_can_be_left_out(five: Database) -> None:
    first = read(five, properties=("kind",), geometry=False)[0]
    assert first["properties"] == {"kind": "flood"} and first["geometry"] is None
    assert read(five, properties=())[0]["properties"] == {}
