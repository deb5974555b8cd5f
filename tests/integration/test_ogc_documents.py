"""The documents of the OGC API: landing page, conformance, collections, schemas, definition."""

import re
from collections.abc import Iterator

import orjson
import pytest
from pygeoapi.api import API, APIRequest, conformance, describe_collections, landing_page
from starlette.requests import Request

from api.ogc.pygeoapi_core import _config, _resource
from gis.access import Role, create_key
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer, LocalizedText
from tests.databases import Server
from tests.integration.ogc_app import Client, client_of
from tests.integration.ogc_layers import INCIDENTS, SECRET, add_five, make_layer

SCHEMA_REL = "http://www.opengis.net/def/rel/ogc/1.0/schema"


@pytest.fixture(scope="module")
def documented(postgres: Server, migrated: str) -> Iterator[Database]:
    """Layers that no test here changes."""
    with postgres.opened(migrated) as database:
        make_layer(database)
        make_layer(database, SECRET)
        add_five(database)
        yield database


@pytest.fixture(scope="module")
def client(documented: Database) -> Iterator[Client]:
    with client_of(documented, [INCIDENTS, SECRET]) as opened:
        yield opened


def stock(function, layer: Layer = INCIDENTS):
    """What pygeoapi answers by itself."""
    api = API(_config({layer.id: _resource(layer)}), openapi={})
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    _, _, content = function(api, APIRequest(Request(scope), api.locales))
    return orjson.loads(content)


def test_every_link_of_the_landing_page_answers(client: Client) -> None:
    document = client.get("/ogc").json()
    assert {"self", "alternate", "service-desc", "service-doc", "conformance", "data"} <= {
        link["rel"] for link in document["links"]
    }
    for link in document["links"]:
        answer = client.get(link["href"])
        assert answer.status_code == 200, link
        assert answer.headers["content-type"].startswith(link["type"]), link


def test_stock_does_not_lead_to_the_jobs(client: Client) -> None:
    rels = {link["rel"] for link in stock(landing_page)["links"]}
    assert not any("job-list" in rel for rel in rels)
    ours = {link["rel"] for link in client.get("/ogc").json()["links"]}
    assert any("job-list" in rel for rel in ours)


def test_every_link_of_a_collection_answers(client: Client) -> None:
    document = client.get("/ogc/collections/incidents").json()
    for link in document["links"]:
        answer = client.get(link["href"])
        assert answer.status_code == 200, link
        assert answer.headers["content-type"].startswith(link["type"]), link


def test_a_collection_says_how_many_where_and_when_where_stock_does_not(
    client: Client,
) -> None:
    document = client.get("/ogc/collections/incidents").json()
    assert document["itemCount"] == 5
    assert document["extent"]["spatial"]["bbox"] == [[103.9, 22.3, 104.2, 22.3]]
    assert document["extent"]["temporal"]["interval"] == [
        ["2024-09-10T01:00:00Z", "2024-09-13T00:00:00Z"]
    ]
    assert document["storageCrs"] == "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
    assert "http://www.opengis.net/def/crs/EPSG/0/9208" in document["crs"]
    rels = {link["rel"] for link in document["links"]}
    assert SCHEMA_REL in rels and SCHEMA_REL.replace("schema", "sortables") in rels
    plain = stock(describe_collections)["collections"][0]
    assert "itemCount" not in plain
    assert plain["extent"]["spatial"]["bbox"] == [[-180, -90, 180, 90]]
    assert not any("sortables" in link["rel"] for link in plain["links"])


def test_a_title_stays_as_it_is_where_stock_escapes_it(database: Database) -> None:
    odd = INCIDENTS.model_copy(
        update={"title": LocalizedText(vi="Lũ < 1 m & <b>", en="Flood < 1 m")}
    )
    make_layer(database, odd)
    with client_of(database, [odd]) as client:
        assert client.get("/ogc/collections/incidents").json()["title"] == "Lũ < 1 m & <b>"
        page = client.get("/ogc/collections/incidents?f=html").text
    assert "Lũ &lt; 1 m &amp; &lt;b&gt;" in page
    assert stock(describe_collections, odd)["collections"][0]["title"] == "Lũ &lt; 1 m & &lt;b&gt;"


def test_stock_declares_what_is_not_shown_here(client: Client) -> None:
    ours = client.get("/ogc/conformance").json()["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas" in ours
    assert (
        "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/schemas"
        not in (stock(conformance)["conformsTo"])
    )


def test_each_document_is_also_a_page_in_two_languages(client: Client) -> None:
    for path in (
        "", "/conformance", "/functions", "/openapi", "/collections", "/collections/incidents",
        "/collections/incidents/schema", "/collections/incidents/queryables",
        "/collections/incidents/items", "/collections/incidents/items/1",
    ):  # fmt: skip
        for language in ("vi", "en"):
            answer = client.get(f"/ogc{path}?f=html&lang={language}")
            assert answer.status_code == 200, path
            assert answer.headers["content-language"] == language
            assert f'<html lang="{language}">' in answer.text
            assert "//unpkg" not in answer.text and "https://" not in re.sub(
                "<code>.*?</code>", "", answer.text
            )


def test_a_browser_gets_a_page_and_a_program_gets_json(client: Client) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert client.get("/ogc/collections", headers=browser).text.startswith("<!doctype html>")
    assert client.get("/ogc/collections", headers={"accept": "*/*"}).json()["collections"]
    english = client.get("/ogc/collections/incidents", headers={"accept-language": "en-GB,vi"})
    assert english.json()["title"] == "Incidents"


def test_collections_are_those_that_the_caller_may_read(
    client: Client, documented: Database
) -> None:
    with documented.writing() as connection:
        key = create_key(connection, "d", Role.DEPARTMENT, ["secret"])
    listed = client.get("/ogc/collections").json()["collections"]
    assert [each["id"] for each in listed] == ["incidents"]
    keyed = client.get("/ogc/collections", headers={"x-api-key": key}).json()["collections"]
    assert [each["id"] for each in keyed] == ["incidents", "secret"]
    for path in ("", "/items", "/items/1", "/schema", "/queryables", "/sortables"):
        assert client.get(f"/ogc/collections/secret{path}").status_code == 404
        assert client.get(f"/ogc/collections/nowhere{path}").status_code == 404
    assert "/collections/secret" not in client.get("/ogc/openapi").json()["paths"]
    assert client.get("/ogc/collections/secret", headers={"x-api-key": key}).status_code == 200


def test_a_new_catalogue_is_seen_at_the_next_request(documented: Database) -> None:
    with client_of(documented, [INCIDENTS]) as client:
        assert client.get("/ogc/collections/incidents").status_code == 200
        other = INCIDENTS.model_copy(update={"title": LocalizedText(vi="Mới", en="New")})
        client.app.state.layer_files.catalogue = Catalogue((other,))
        assert client.get("/ogc/collections/incidents").json()["title"] == "Mới"
        client.app.state.layer_files.catalogue = Catalogue(())
        assert client.get("/ogc/collections").json()["collections"] == []


def test_the_schema_has_titles_units_values_and_roles(client: Client) -> None:
    document = client.get("/ogc/collections/incidents/schema?lang=vi").json()
    properties = document["properties"]
    assert properties["id"]["x-ogc-role"] == "id"
    assert properties["geom"] == {
        "title": "Hình học",
        "x-ogc-role": "primary-geometry",
        "format": "geometry-point",
    }
    assert properties["valid_at"]["x-ogc-role"] == "primary-instant"
    assert properties["depth_m"]["title"] == "Độ sâu" and properties["depth_m"]["x-ogc-unit"] == "m"
    assert properties["kind"]["oneOf"][0] == {"const": "flood", "title": "Ngập"}
    assert properties["commune"]["readOnly"] and "readOnly" not in properties["note"]
    assert "phone" not in properties
    english = client.get("/ogc/collections/incidents/queryables?lang=en").json()
    assert english["properties"]["depth_m"]["title"] == "Depth"
    assert "geom" not in client.get("/ogc/collections/incidents/sortables").json()["properties"]


def test_the_definition_is_whole_in_itself_and_gives_qgis_the_page_size(
    client: Client,
) -> None:
    answer = client.get("/ogc/openapi")
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json;version=3.0"
    document = answer.json()
    limit = document["components"]["parameters"]["limit"]["schema"]
    assert (limit["default"], limit["maximum"]) == (1000, 10000)
    references = re.findall(r'"\$ref":"([^"]+)"', answer.text)
    assert references and all(reference.startswith("#/") for reference in references)
    for reference in references:
        part = document
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]


@pytest.mark.parametrize(
    "path",
    ["", "/conformance", "/functions", "/openapi", "/collections", "/collections/incidents",
     "/collections/incidents/schema", "/collections/incidents/items",
     "/collections/incidents/items/1"],
)  # fmt: skip
def test_an_unknown_parameter_is_refused_with_those_that_there_are(
    client: Client, path: str
) -> None:
    answer = client.get(f"/ogc{path}?typo=1")
    assert answer.status_code == 400
    assert "'typo'" in answer.json()["detail"] and "lang" in answer.json()["detail"]
    assert client.get(f"/ogc{path}?f=xml").status_code == 400
    assert client.get(f"/ogc{path}?lang=fr").status_code == 400
    assert client.get(f"/ogc{path}?f=json&f=json").status_code == 400
