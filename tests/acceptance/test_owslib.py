"""OWSLib as a client."""

from collections.abc import Iterator

import pytest
from owslib.ogcapi.features import Features

from gis.database.engine import Database
from tests.integration.ogc_app import client_of
from tests.integration.ogc_layers import INCIDENTS, add_five, make_layer


@pytest.fixture
def features(database: Database) -> Iterator[Features]:
    make_layer(database)
    add_five(database)
    with client_of(database, [INCIDENTS]) as client:
        yield Features(str(client.base_url.join("/ogc")))


def test_owslib_lists_describes_and_reads(features: Features) -> None:
    assert features.feature_collections() == ["incidents"]
    assert features.collection("incidents")["itemCount"] == 5
    assert "depth_m" in features.collection_queryables("incidents")["properties"]
    assert any("cql2-text" in uri for uri in features.conformance()["conformsTo"])
    assert features.api()["components"]["parameters"]["limit"]["schema"]["maximum"] == 10_000


def test_owslib_filters_by_box_time_and_cql2(features: Features) -> None:
    def ids(**query: object) -> list[int]:
        return [one["id"] for one in features.collection_items("incidents", **query)["features"]]

    assert ids(bbox=[103.95, 22, 104.15, 23]) == [2, 3]
    assert ids(datetime_="2024-09-11/..") == [2, 3, 4]
    assert ids(filter="ACCENTI(CASEI(note)) = accenti(casei('sa pả'))") == [2, 3, 4]
    assert features.collection_item("incidents", "1")["properties"]["kind"] == "flood"
