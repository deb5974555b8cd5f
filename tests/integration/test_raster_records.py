"""Raster layers in the catalogue that others harvest: OGC API Records and DCAT-AP."""

from dataclasses import replace

import numpy as np
import pytest

from gis.access import Role, create_key
from gis.rasters import loader
from layers.definition.model import Audience
from layers.storage.sync import sync
from tests.integration.raster_desk import Desk

ITEMS = "/records/collections/layers/items"
HEIGHTS = np.arange(300, dtype=np.float32).reshape(10, 30)
BOX = (104.0, 22.0, 104.3, 22.1)


@pytest.fixture
def desk(toy_province, catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(loader, "run_confined", lambda work, *given, size: work(*given))
    return Desk(toy_province, catalogue, tmp_path)


def test_a_raster_layer_has_a_record_whose_links_answer(desk):
    desk.add("elevation", HEIGHTS)
    with desk.client() as client:
        record = client.get(f"{ITEMS}/elevation?lang=en").json()
        listed = client.get(f"{ITEMS}?limit=1000").json()["features"]
        assert record in client.get(f"{ITEMS}?limit=1000&lang=en").json()["features"]
        assert len({each["id"] for each in listed}) == len(listed)
        assert record["properties"]["title"] == desk.catalogue.raster("elevation").title.en
        assert record["properties"]["itemCount"] == 1
        xs, ys = zip(*record["geometry"]["coordinates"][0], strict=True)
        assert (min(xs), min(ys), max(xs), max(ys)) == pytest.approx(BOX)
        forms = [link for link in record["links"] if link["rel"] == "item"]
        assert {link["title"] for link in forms} == {
            "GeoTIFF", "OGC API Coverages, EDR", "TileJSON (PNG)",
        }  # fmt: skip
        for link in record["links"]:
            answer = client.get(link["href"])
            assert answer.status_code == 200, link
            assert answer.headers["content-type"].startswith(link["type"]), link


def test_one_without_rasters_yet_says_so_and_leads_nowhere(desk):
    with desk.client() as client:
        record = client.get(f"{ITEMS}/elevation").json()
    assert (record["geometry"], record["time"]) == (None, None)
    assert record["properties"]["itemCount"] == 0
    assert [link["rel"] for link in record["links"]] == ["self", "collection"]


def test_it_is_found_by_words_place_and_time(desk):
    desk.add("elevation", HEIGHTS)
    title = desk.catalogue.raster("elevation").title.vi
    with desk.client() as client:

        def is_found(**query: str) -> bool:
            found = client.get(ITEMS, params={"limit": 1000, **query}).json()["features"]
            return "elevation" in {each["id"] for each in found}

        assert is_found(q=title)
        assert is_found(bbox="104.1,22.05,104.2,22.06")
        assert not is_found(bbox="105,22.05,105.2,22.06")
        assert not is_found(datetime="2024-09-10")  # it has no time
        assert is_found(ids="elevation")


def test_simulated_pixels_are_named_before_all_else(desk):
    desk.add("elevation", HEIGHTS, simulated=True)
    with desk.client() as client:
        record = client.get(f"{ITEMS}/elevation").json()
        assert record["properties"]["description"].startswith("Dữ liệu mô phỏng. ")
        dataset = dataset_of(client, "elevation")
    words = {each["@language"]: each["@value"] for each in dataset["dct:description"]}
    assert words["en"].startswith("Simulated data. ")


def test_dcat_has_its_place_its_licence_and_its_forms(desk):
    desk.add("elevation", HEIGHTS)
    with desk.client() as client:
        dataset = dataset_of(client, "elevation")
        assert dataset["dct:accessRights"]["@id"].endswith("/PUBLIC")
        assert "POLYGON" in dataset["dct:spatial"]["dcat:bbox"]["@value"]
        assert len(dataset["dcat:distribution"]) == 3
        for each in dataset["dcat:distribution"]:
            assert client.get(each["dcat:accessURL"]["@id"]).status_code == 200
            assert each["dct:license"]


def test_a_closed_raster_layer_leaves_no_trace(desk, toy_province):
    desk.add("elevation", HEIGHTS)
    closed = [
        layer.model_copy(
            update={"access": layer.access.model_copy(update={"read": Audience.PRIVATE})}
        )
        if layer.id == "elevation"
        else layer
        for layer in desk.catalogue.rasters
    ]
    digests = {**desk.catalogue.digests, "elevation": "closed"}
    with toy_province.writing() as connection:
        sync(connection, replace(desk.catalogue, rasters=tuple(closed), digests=digests))
        key = create_key(connection, "tests", Role.ADMIN, ())
    with desk.client() as client:
        for path in (f"{ITEMS}?limit=1000", "/records/dcat"):
            assert "/rasters/elevation" not in client.get(path).text
            assert "/rasters/elevation" in client.get(path, headers={"X-API-Key": key}).text
        assert client.get(f"{ITEMS}/elevation").status_code == 404


def dataset_of(client, layer_id):
    datasets = client.get("/records/dcat").json()["dcat:dataset"]
    return next(each for each in datasets if each["dct:identifier"] == layer_id)
