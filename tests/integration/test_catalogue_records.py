"""The catalogue as others harvest it: OGC API Records by a client of it, and DCAT-AP."""

from collections.abc import Iterator

import pytest
import shapely
from owslib.ogcapi.records import Records

from gis.access import Role, create_key
from gis.database.engine import Database
from layers.definition.model import Layer
from tests.databases import Server
from tests.integration.ogc_app import Client, client_of
from tests.integration.ogc_layers import INCIDENTS, SECRET, add_five, make_layer

ITEMS = "/records/collections/layers/items"
CATALOGUED = INCIDENTS.model_copy(
    update={"keywords": ("mưa lũ", "flood"), "frequency": "daily", "licence": "CC-BY-4.0"}
)
EMPTY = INCIDENTS.model_copy(update={"id": "empty", "licence": "Internal use"})


@pytest.fixture(scope="module")
def database(postgres: Server, migrated: str) -> Iterator[Database]:
    with postgres.opened(migrated) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(database: Database) -> Iterator[Client]:
    for layer in (CATALOGUED, SECRET, EMPTY):
        make_layer(database, layer)
    add_five(database)
    with client_of(database, [CATALOGUED, SECRET, EMPTY]) as opened:
        yield opened


def ids(client: Client, query: str) -> list[str]:
    answer = client.get(f"{ITEMS}?{query}")
    assert answer.status_code == 200, answer.text
    return [feature["id"] for feature in answer.json()["features"]]


def test_a_client_of_records_walks_it(client: Client):
    """OWSLib, from the landing page on."""
    catalogue = Records(f"{client.base_url}/records/")
    assert catalogue.records() == ["layers"]
    assert any(each.endswith("record-core") for each in catalogue.conformance()["conformsTo"])
    found = catalogue.collection_items("layers", q="MUA lu")
    assert [feature["id"] for feature in found["features"]] == ["incidents"]
    one = catalogue.collection_item("layers", "incidents")
    assert one["properties"]["title"] == "Sự cố"


def test_a_record_says_what_the_layer_and_its_rows_say(client: Client):
    record = client.get(f"{ITEMS}/incidents?lang=en").json()
    assert record["properties"] | {"updated": ""} == {
        "type": "dataset",
        "title": "Incidents",
        "description": "Incidents for tests",
        "updated": "",
        "language": {"code": "en"},
        "languages": [{"code": "vi", "name": "Tiếng Việt"}, {"code": "en", "name": "English"}],
        "keywords": ["mưa lũ", "flood"],
        "contacts": [{"organization": "Operations centre", "roles": ["custodian"]}],
        "license": "CC-BY-4.0",
        "rights": "open; public",
        "formats": record["properties"]["formats"],
        "itemCount": 5,
        "updateFrequency": "daily",
    }
    assert shapely.geometry.shape(record["geometry"]).bounds == pytest.approx(
        (103.9, 22.3, 104.2, 22.3)
    )
    assert record["time"] == {"interval": ["2024-09-10T01:00:00Z", "2024-09-13T00:00:00Z"]}
    empty = client.get(f"{ITEMS}/empty").json()
    assert (empty["geometry"], empty["time"], empty["properties"]["itemCount"]) == (None, None, 0)


def test_each_link_of_each_document_answers_with_what_it_promises(client: Client):
    documents = ["/records", "/records/collections", "/records/collections/layers", ITEMS]
    links = [link for path in documents for link in client.get(path).json()["links"]]
    links += client.get(f"{ITEMS}/incidents").json()["links"]
    links += client.get("/records/collections").json()["collections"][0]["links"]
    for link in links:
        answer = client.get(link["href"])
        assert answer.status_code == 200, link
        if link["rel"] != "item":
            assert answer.headers["content-type"].startswith(link["type"]), link


def test_who_may_not_read_a_layer_finds_no_trace_of_it(client: Client, database: Database):
    with database.writing() as connection:
        key = create_key(connection, "tests", Role.OPERATOR, ())
    for path in (ITEMS, f"{ITEMS}?q=secret", "/records/dcat", f"{ITEMS}/secret"):
        assert "/secret" not in client.get(path).text.replace(path, ""), path
        assert "secret" in client.get(path, headers={"X-API-Key": key}).text
    absent = client.get(f"{ITEMS}/absent").json()["detail"]
    hidden = client.get(f"{ITEMS}/secret")
    assert (hidden.status_code, hidden.json()["detail"]) == (
        404,
        absent.replace("absent", "secret"),
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["incidents", "empty"]),
        ("q=su co kiem thu", ["incidents", "empty"]),
        ("q=su co dong dat", []),
        ("bbox=103,22,103.9,22.3", ["incidents"]),
        ("bbox=103,22,103.8,22.3", []),
        ("datetime=2024-09-12", ["incidents"]),
        ("datetime=../2024-09-09", []),
        ("ids=empty,absent", ["empty"]),
        ("type=service", []),
        ("limit=1", ["incidents"]),
        ("limit=1&offset=1", ["empty"]),
        ("offset=7", []),
    ],
)
def test_records_are_found_by_words_place_time_and_name(client: Client, query: str, found):
    assert ids(client, query) == found


@pytest.mark.parametrize(
    "query", ["offset=-1", "offset=x", "limit=0", "bbox=1,2,3", "datetime=x", "colour=red", "f=xml"]
)
def test_what_is_wrong_is_refused(client: Client, query: str):
    assert client.get(f"{ITEMS}?{query}").status_code == 400


def test_pages_follow_each_other(client: Client):
    page, seen = client.get(f"{ITEMS}?limit=1").json(), []
    while True:
        seen += [feature["id"] for feature in page["features"]]
        next_page = [link["href"] for link in page["links"] if link["rel"] == "next"]
        if not next_page:
            break
        page = client.get(next_page[0]).json()
    assert (seen, page["numberMatched"]) == (["incidents", "empty"], 2)


def test_dcat_names_rights_licence_frequency_and_forms(client: Client):
    catalogue = client.get("/records/dcat").json()
    by_id = {each["dct:identifier"]: each for each in catalogue["dcat:dataset"]}
    dataset = by_id["incidents"]
    prefixes = set(catalogue["@context"])
    assert {name.partition(":")[0] for name in _terms(catalogue)} <= prefixes
    assert dataset["dct:accessRights"]["@id"].endswith("/access-right/PUBLIC")
    assert dataset["dct:accrualPeriodicity"]["@id"].endswith("/frequency/DAILY")
    assert dataset["dct:title"][0] == {"@language": "vi", "@value": "Sự cố"}
    licences = {each["dct:license"]["@id"] for each in dataset["dcat:distribution"]}
    assert licences == {"https://spdx.org/licenses/CC-BY-4.0"}
    (own,) = {each["dct:license"]["rdfs:label"] for each in by_id["empty"]["dcat:distribution"]}
    assert own == "Internal use"
    for each in dataset["dcat:distribution"]:
        assert client.get(each["dcat:accessURL"]["@id"]).status_code == 200


def _terms(node) -> Iterator[str]:
    """The terms and types of JSON-LD, which all are of a prefix that the context has."""
    if isinstance(node, list):
        for each in node:
            yield from _terms(each)
    elif isinstance(node, dict):
        for name, value in node.items():
            if not name.startswith("@"):
                yield name
            if name == "@type":
                yield value
            elif name != "@context":
                yield from _terms(value)


def test_a_layer_may_say_words_of_its_own():
    """The shipped layers' files say none yet; the words of the section are checked."""
    layer = INCIDENTS.model_dump(mode="json") | {"frequency": "daily", "keywords": ["lũ"]}
    assert Layer.model_validate(layer).frequency == "daily"
