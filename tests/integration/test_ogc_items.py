"""Items over HTTP: parameters, links, headers, rights."""

from collections.abc import Iterator

import pytest

from gis.database.engine import Database
from tests.databases import Server
from tests.integration.ogc_app import Client, client_of
from tests.integration.ogc_layers import INCIDENTS, TRAPS, add, add_five, make_layer

ITEMS = "/ogc/collections/incidents/items"


@pytest.fixture(scope="module")
def client(postgres: Server, migrated: str) -> Iterator[Client]:
    """Five rows that no test here changes."""
    with postgres.opened(migrated) as database:
        make_layer(database)
        add_five(database)
        with client_of(database, [INCIDENTS]) as opened:
            yield opened


def ids(client: Client, query: str) -> list[int]:
    answer = client.get(f"{ITEMS}?{query.replace('%', '%25') if 'LIKE' in query else query}")
    assert answer.status_code == 200, answer.text
    return [feature["id"] for feature in answer.json()["features"]]


def test_a_page_is_a_feature_collection_that_counts_itself(client: Client) -> None:
    answer = client.get(f"{ITEMS}?limit=2")
    document = answer.json()
    assert answer.headers["content-type"] == "application/geo+json"
    assert answer.headers["content-crs"] == "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"
    assert (document["numberMatched"], document["numberReturned"]) == (5, 2)
    assert document["numberMatchedIs"] == "exact"
    assert document["features"][0]["properties"]["note"] == TRAPS
    assert "Nước & <b>" in answer.content.decode()


def test_walking_next_and_prev_reads_every_item_there_and_back(client: Client) -> None:
    there, back, url = [], [], f"{ITEMS}?limit=2&sortby=-severity"
    while url:
        document = client.get(url).json()
        there.append([feature["id"] for feature in document["features"]])
        links = {link["rel"]: link["href"] for link in document["links"]}
        url = links.get("next")
    assert there == [[1, 2], [3, 4], [5]]
    url = links["prev"]
    while url:
        document = client.get(url).json()
        back.append([feature["id"] for feature in document["features"]])
        url = {link["rel"]: link["href"] for link in document["links"]}.get("prev")
    assert back == [[3, 4], [1, 2]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("bbox=103.95,22,104.15,23", [2, 3]),
        ("bbox=103.95,22,-10,104.15,23,10", [2, 3]),
        ("bbox=22,103.95,23,104.15&bbox-crs=http://www.opengis.net/def/crs/EPSG/0/4326", [2, 3]),
        ("bbox=390000,2400000,405000,2500000&bbox-crs=[EPSG:32648]", [2]),
        ("datetime=2024-09-12", [3]),
        ("datetime=2024-09-12T00:00:00%2B07:00/..", [3, 4]),
        ("datetime=../2024-09-11T01:00:00Z", [1, 2]),
        ("datetime=2024-09-11T08:00:00", [2]),  # a time without a zone is Vietnamese
        ("datetime=0000-01-01T00:00:00Z/2024-09-11T01:00:00Z", [1, 2]),
        ("datetime=2024-09-12T01:00:00Z/9999-12-31T00:00:00Z", [3, 4]),
        ("kind=road&severity=1", [2, 3]),
        ("sortby=-valid_at", [4, 3, 2, 1, 5]),
        ("sortby=%2Bkind,-severity", [1, 4, 2, 3, 5]),
        ("limit=99999999", [1, 2, 3, 4, 5]),
        ("filter=accenti(casei(note))=accenti(casei('SA PẢ'))", [2, 3, 4]),
        ("filter=casei(note) LIKE casei('sa p_')", [2, 3, 4]),
        ("filter=severity=1 AND NOT kind='flood'&bbox=104.05,22,105,23", [3]),
        ("filter=depth_m IS NULL AND closed", [2]),
        ("filter=depth_m*2=1", [1]),
        ("filter=severity/0=1", []),
        ("filter=T_DURING(valid_at,INTERVAL('2024-09-11','2024-09-12'))", [2, 3]),
        ("filter=T_AFTER(valid_at,DATE('2024-09-11'))", [3, 4]),
        ("filter=valid_at<TIMESTAMP('2024-09-11T00:00:00Z')", [1]),
        ("filter=seen_on>=DATE('2024-09-11')", [2]),
        ("filter=T_INTERSECTS(seen_on,INTERVAL('..','2024-09-10'))", [1]),
        ("filter=S_INTERSECTS(geom,BBOX(103.95,22,104.15,23))", [2, 3]),
        ("filter=S_WITHIN(geometry,POLYGON((104 22,105 22,105 23,104 23,104 22)))", [3, 4]),
        (
            "filter=S_INTERSECTS(geom,BBOX(390000,2400000,405000,2500000))"
            "&filter-crs=http://www.opengis.net/def/crs/EPSG/0/32648",
            [2],
        ),
        (
            "filter=S_INTERSECTS(geom,POINT(22.3 104))"
            "&filter-crs=http://www.opengis.net/def/crs/EPSG/0/4326",
            [2],
        ),
        ('filter={"op":"in","args":[{"property":"id"},[1,4]]}&filter-lang=cql2-json', [1, 4]),
    ],
)
def test_parameters_select_and_sort(client: Client, query: str, expected: list[int]) -> None:
    assert ids(client, query) == expected


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("\"kind\" = 'flood'", [1, 4]),
        ("(\"kind\" = 'road') AND (\"severity\" = 1)", [2, 3]),
        ("casei(\"note\") LIKE casei('SA P%')", [2, 3, 4]),
        ("\"note\" IS NULL", [5]),
        ("\"severity\" IN (1,2)", [2, 3]),
        ("\"severity\" BETWEEN 1 AND 2", [2, 3]),
        ("\"valid_at\" = TIMESTAMP('2024-09-11T01:00:00.000Z')", [2]),
        ("\"seen_on\" = DATE('2024-09-10')", [1]),
        ("\"closed\" = TRUE", [2]),
        ("S_INTERSECTS(\"geom\",POLYGON((103 22,104.05 22,104.05 23,103 23,103 22)))", [1, 2]),
    ],
)  # fmt: skip
def test_filters_as_qgis_writes_them_are_answered(
    client: Client, filter_: str, expected: list[int]
) -> None:
    asked = {"filter": filter_, "filter-lang": "cql2-text"}
    features = client.get(ITEMS, params=asked).raise_for_status().json()["features"]
    assert [feature["id"] for feature in features] == expected


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "from 1 to 10000"),
        ("limit=x", "from 1 to 10000"),
        ("bbox=1,2,3", "west,south,east,north"),
        ("bbox=1,2,3,nan", "west,south,east,north"),
        ("bbox=1,9,3,4", "above its upper edge"),
        ("bbox=1,2,3,4&bbox-crs=EPSG:1", "EPSG/0/9208"),
        ("crs=http://www.opengis.net/def/crs/EPSG/0/1", "EPSG/0/9208"),
        ("datetime=garbage", "2024-09-10T08:00:00Z"),
        ("datetime=2024-13-01", "2024-09-10T08:00:00Z"),
        ("datetime=2024-09-10T08", "2024-09-10T08:00:00Z"),
        ("datetime=2024-09-11/2024-09-10", "after its end"),
        ("severity=many", "whole number"),
        ("closed=yes", "true or false"),
        ("sortby=wind", "no property 'wind'"),
        ("sortby=kind,-kind", "twice"),
        ("properties=wind", "no property 'wind'"),
        ("cursor=abc", "cursor"),
        ("skipGeometry=1", "true or false"),
        ("wind=3", "no parameter 'wind'"),
        ("phone=0912", "no parameter 'phone'"),
        ("kind=a%00b", "NUL"),
        ("filter=wind=3", "no property 'wind'"),
        ("filter=phone='0912'", "no property 'phone'"),
        ("filter=kind=", "not CQL2"),
        ("filter=kind='a'&filter-lang=cql", "cql2-text or cql2-json"),
        ("filter=kind='a'&filter-crs=x", "EPSG/0/9208"),
        ("filter=note LIKE 'sa%5C'", "out of range"),
        ("filter=severity*1e300*1e300*1e300=1", "out of range"),
        ("filter=A_OVERLAPS(kind,('a','b'))", "A_OVERLAPS is not supported"),
    ],
)
def test_a_wrong_parameter_is_answered_with_what_would_be_right(
    client: Client, query: str, words: str
) -> None:
    answer = client.get(f"{ITEMS}?{query}")
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["description"]


def test_an_item_has_its_crs_and_its_links(client: Client) -> None:
    answer = client.get(f"{ITEMS}/2?crs=http://www.opengis.net/def/crs/EPSG/0/4326")
    assert answer.headers["content-crs"] == "<http://www.opengis.net/def/crs/EPSG/0/4326>"
    document = answer.json()
    assert document["geometry"]["coordinates"] == [22.3, 104.0]
    assert {link["rel"] for link in document["links"]} == {"self", "alternate", "collection"}
    assert client.get(f"{ITEMS}/99").status_code == 404
    assert client.get(f"{ITEMS}/2?limit=1").status_code == 400


def test_an_unchanged_page_is_not_sent_again_until_the_layer_changes(database: Database) -> None:
    make_layer(database)
    add_five(database)
    with client_of(database, [INCIDENTS]) as client:
        _changes(client, database)


def _changes(client: Client, database: Database) -> None:
    first = client.get(ITEMS)
    known = {"if-none-match": first.headers["etag"]}
    assert client.get(ITEMS, headers=known).status_code == 304
    assert client.get(f"{ITEMS}?limit=1", headers=known).status_code == 200
    add(database, id=6, lon=104.3, lat=22.3)
    again = client.get(ITEMS, headers=known)
    assert again.status_code == 200 and again.json()["numberMatched"] == 6


def test_the_page_has_a_row_for_each_item_in_plain_words(client: Client) -> None:
    page = client.get(f"{ITEMS}?f=html&limit=2").text
    assert "Nước &amp; &lt;b&gt;" in page and "Ngập" in page
    assert 'rel="next"' in page and "cursor=" in page
