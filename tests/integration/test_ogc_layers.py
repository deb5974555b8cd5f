"""Every layer file of the project, over HTTP: a new one is tested the moment it exists."""

import pytest

from gis.access import Role, create_key
from gis.settings import ROOT
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.definition.model import FieldType
from tests.integration.ogc_app import Client, client_of

LAYERS = read_catalogue(ROOT / "layers")
VALUES = {
    FieldType.TEXT: "'a'",
    FieldType.INTEGER: "1",
    FieldType.NUMBER: "1.5",
    FieldType.BOOLEAN: "true",
    FieldType.DATE: "DATE('2024-09-10')",
    FieldType.DATETIME: "TIMESTAMP('2024-09-10T00:00:00Z')",
}


@pytest.fixture(scope="module")
def client(postgres, toy_template):
    with postgres.opened(toy_template) as database:
        with database.writing() as connection:
            key = create_key(connection, "admin", Role.ADMIN)
        with client_of(database, Catalogue(LAYERS.layers).layers) as opened:
            opened.headers["X-API-Key"] = key
            yield opened


@pytest.mark.parametrize("layer", LAYERS.layers, ids=lambda layer: layer.id)
def test_a_layer_answers_everything_that_it_offers(client: Client, layer) -> None:
    root = f"/ogc/collections/{layer.id}"
    for link in client.get(root).raise_for_status().json()["links"]:
        client.get(link["href"]).raise_for_status()
    client.get(f"/qgis/{layer.id}.qlr").raise_for_status()
    names = client.get(f"{root}/sortables").json()["properties"]
    for name in names:
        client.get(f"{root}/items", params={"sortby": f"-{name}"}).raise_for_status()
    for name, field in layer.public_fields.items():
        question = f'"{name}" = {VALUES[field.type]} OR "{name}" IS NULL'
        client.get(f"{root}/items", params={"filter": question}).raise_for_status()
    items = client.get(f"{root}/items", params={"limit": 1}).raise_for_status().json()
    shown = {key for feature in items["features"] for key in feature["properties"]}
    personal = {name for name, field in layer.fields.items() if field.personal}
    assert not (shown | set(names)) & personal
