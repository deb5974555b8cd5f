"""Writing items over HTTP: placed, checked, guarded against lost updates, undone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from gis.access import LOCAL_ADMIN, Role, create_key
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.ingest.edit import history, revert
from layers.storage.sync import sync
from tests.integration.ogc_app import Client, client_of
from tests.integration.ogc_layers import INCIDENTS

ITEMS = "/ogc/collections/incidents/items"
REQUIRED = {"kind": INCIDENTS.fields["kind"].model_copy(update={"required": True})}
FREE = {"note": INCIDENTS.fields["note"].model_copy(update={"free_text": True})}
LAYER = INCIDENTS.model_copy(update={"fields": {**INCIDENTS.fields, **REQUIRED, **FREE}})


@dataclass
class Desk:
    """Somebody with a department's key."""

    client: Client
    database: Database
    headers: dict[str, str]

    def send(self, method: str, path: str = "", body: Any = None, **headers: str) -> httpx.Response:
        return self.client.request(
            method, ITEMS + path, json=body, headers={**self.headers, **headers}
        )

    def make(self, **properties: Any) -> str:
        """The path of a new item below the items."""
        made = self.send("POST", "", feature(self.database, **properties))
        return "/" + made.headers["location"].rsplit("/", 1)[1]

    def read(self, path: str) -> dict[str, Any]:
        return self.client.get(ITEMS + path).json()


@pytest.fixture
def desk(toy_province: Database) -> Iterator[Desk]:
    with toy_province.writing() as connection:
        sync(connection, Catalogue((LAYER,)))
        key = create_key(connection, "Sở A", Role.DEPARTMENT, ["incidents"])
    with client_of(toy_province, [LAYER]) as client:
        yield Desk(client, toy_province, {"X-API-Key": key})


def inside(database: Database) -> list[float]:
    """A point in the first commune of the toy province."""
    with database.reading() as connection:
        row = connection.execute(
            text("SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_PointOnSurface(geom) p"
                 " FROM layer.communes ORDER BY code LIMIT 1) one")
        ).one()  # fmt: skip
    return [row[0], row[1]]


def feature(database: Database, **properties: Any) -> dict[str, Any]:
    point = {"type": "Point", "coordinates": inside(database)}
    return {"type": "Feature", "geometry": point, "properties": {"kind": "flood", **properties}}


def test_a_new_item_is_placed_and_found_at_its_location(desk: Desk) -> None:
    made = desk.send("POST", "", feature(desk.database, note="Lũ < & >", depth_m=0.5))
    assert made.status_code == 201, made.text
    item = desk.client.get(made.headers["location"]).json()
    assert item["geometry"]["coordinates"] == pytest.approx(inside(desk.database))
    assert item["properties"]["note"] == "Lũ < & >"
    assert item["properties"]["commune"] and len(item["properties"]["h3"]) == 15
    assert item["properties"]["place_method"] == "coordinates"


def test_put_replaces_the_whole_item_and_patch_only_what_is_sent(desk: Desk) -> None:
    path = desk.make(note="a", severity=3)
    assert desk.send("PATCH", path, {"properties": {"note": "b"}}).status_code == 204
    item = desk.read(path)
    assert (item["properties"]["note"], item["properties"]["severity"]) == ("b", 3)
    assert item["geometry"] is not None
    assert desk.send("PUT", path, feature(desk.database, note="c")).status_code == 204
    item = desk.read(path)
    assert (item["properties"]["note"], item["properties"]["severity"]) == ("c", None)
    assert desk.send("PUT", path, item).status_code == 204, "what was read can be sent back"
    assert desk.send("DELETE", path).status_code == 204
    assert desk.client.get(ITEMS + path).status_code == 404


@pytest.mark.parametrize("uri", ["EPSG/0/4326", "EPSG/0/3857", "EPSG/0/9208", "EPSG/0/32648"])
def test_coordinates_written_in_a_crs_come_back_as_the_same_point(desk: Desk, uri: str) -> None:
    crs = f"http://www.opengis.net/def/crs/{uri}"
    first = desk.send("POST", "", feature(desk.database)).headers["location"]
    moved = desk.client.get(first, params={"crs": crs}).json()
    sent = {"type": "Feature", "geometry": moved["geometry"], "properties": {"kind": "road"}}
    second = desk.send("POST", "", sent, **{"Content-Crs": f"<{crs}>"}).headers["location"]
    was, now = (desk.client.get(url).json()["geometry"] for url in (first, second))
    assert now["coordinates"] == pytest.approx(was["coordinates"], abs=2e-7)


def test_contacts_in_free_text_are_hidden(desk: Desk) -> None:
    path = desk.make(note="Gọi 0912 345 678 & hỏi ông An")
    assert desk.read(path)["properties"]["note"] == "Gọi [đã ẩn] & hỏi ông An"
    desk.send("PATCH", path, {"properties": {"note": "an@example.com"}})
    assert desk.read(path)["properties"]["note"] == "[đã ẩn]"


def test_a_stale_state_is_not_overwritten(desk: Desk) -> None:
    path = desk.make()
    seen = desk.client.get(ITEMS + path).headers["etag"]
    first = desk.send("PATCH", path, {"properties": {"note": "a"}}, **{"If-Match": seen})
    assert first.status_code == 204
    late = desk.send("PATCH", path, {"properties": {"note": "b"}}, **{"If-Match": seen})
    assert late.status_code == 412 and "read it again" in late.json()["detail"]
    assert desk.send("DELETE", path, **{"If-Match": seen}).status_code == 412
    assert desk.send("PUT", path, feature(desk.database), **{"If-Match": "*"}).status_code == 204
    assert desk.read(path)["properties"]["note"] is None


def test_the_body_cannot_name_another_item(desk: Desk) -> None:
    paths = [desk.make(), desk.make()]
    other = {**feature(desk.database, note="x"), "id": int(paths[1][1:])}
    answer = desk.send("PUT", paths[0], other)
    assert answer.status_code == 400 and answer.json()["faults"][0]["where"] == "id"
    assert desk.read(paths[1])["properties"]["note"] is None


def test_one_answer_lists_all_faults(desk: Desk) -> None:
    wrong = {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]},
        "properties": {
            "severity": 1.5, "depth_m": "deep", "closed": "no", "seen_on": "10/09/2024",
            "valid_at": "2024-09-10T08:00:00", "wind": 3, "phone": "0912", "note": 5,
        },
    }  # fmt: skip
    answer = desk.send("POST", "", wrong)
    assert answer.status_code == 400
    told = {fault["where"]: fault["what"] for fault in answer.json()["faults"]}
    assert set(told) == {
        "geometry", "properties.kind", "properties.severity", "properties.depth_m",
        "properties.closed", "properties.seen_on", "properties.valid_at", "properties.wind",
        "properties.phone", "properties.note",
    }  # fmt: skip
    assert "Point" in told["geometry"] and "required" in told["properties.kind"]
    assert desk.read("")["numberMatched"] == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"properties": {"kind": "fire"}}, "flood, road"),
        ({"geometry": {"type": "Point", "coordinates": [0, 0]}}, "ngoài tỉnh"),
        ({"geometry": {"type": "Point", "coordinates": [400000, 2400000]}}, "not on the earth"),
        ({"geometry": {"type": "Point", "coordinates": []}}, "empty|wrong"),
        ({"geometry": {"type": "Point", "coordinates": ["a", "b"]}}, "wrong"),
        ({"geometry": None}, "không có tọa độ"),
        ({"type": "FeatureCollection"}, "one Feature"),
        ({"properties": []}, "object"),
    ],
)
def test_what_cannot_be_stored_says_why(desk: Desk, change: dict[str, Any], words: str) -> None:
    answer = desk.send("POST", "", {**feature(desk.database), **change})
    assert answer.status_code == 400
    assert any(word in answer.json()["detail"] for word in words.split("|")), answer.text


def test_a_body_that_is_no_json_is_refused(desk: Desk) -> None:
    headers = desk.headers | {"Content-Type": "application/geo+json"}
    for body in (b"", b"{", b"[]", b"\xff", b"3"):
        answer = desk.client.post(ITEMS, content=body, headers=headers)
        assert answer.status_code == 400, body


def test_only_those_who_may_write_see_and_use_the_methods(desk: Desk) -> None:
    path = desk.make()
    assert "POST" in desk.send("OPTIONS").headers["allow"]
    assert {"PUT", "PATCH", "DELETE"} <= set(
        desk.send("OPTIONS", path).headers["allow"].split(", ")
    )
    assert "POST" not in desk.client.options(ITEMS).headers["allow"]
    assert desk.client.post(ITEMS, json=feature(desk.database)).status_code == 401
    assert desk.client.delete(ITEMS + path).status_code == 401
    with desk.database.writing() as connection:
        other = create_key(connection, "B", Role.DEPARTMENT, ["elsewhere"])
    refused = desk.send("DELETE", path, **{"X-API-Key": other})
    assert refused.status_code == 403


def test_each_change_is_kept_and_can_be_reverted(desk: Desk) -> None:
    path = (
        "/"
        + desk.send("POST", "", feature(desk.database, note="a"))
        .headers["location"]
        .rsplit("/", 1)[1]
    )
    row_id = int(path[1:])
    before = desk.read(path)
    desk.send("PATCH", path, {"properties": {"note": "b", "seen_on": "2024-09-10"}})
    desk.send("DELETE", path)
    with desk.database.writing() as connection:
        deleted, patched, added = history(connection, "incidents", row_id)
        assert [deleted.act, patched.act, added.act] == ["delete", "update", "add"]
        assert deleted.who == "Sở A" and deleted.before["note"] == "b" and added.before is None
        assert revert(connection, LAYER, deleted.id, LOCAL_ADMIN) == row_id
    assert desk.read(path)["properties"]["note"] == "b"
    with desk.database.writing() as connection:
        revert(connection, LAYER, patched.id, LOCAL_ADMIN)
    after = desk.read(path)
    changed = {"updated_at"}
    assert {k: v for k, v in after["properties"].items() if k not in changed} == {
        k: v for k, v in before["properties"].items() if k not in changed
    }
    assert after["geometry"] == before["geometry"]
    with desk.database.writing() as connection:
        revert(connection, LAYER, added.id, LOCAL_ADMIN)
        assert len(history(connection, "incidents", row_id)) == 6
    assert desk.client.get(ITEMS + path).status_code == 404


def test_a_change_raises_the_version_so_that_pages_are_sent_anew(desk: Desk) -> None:
    seen = {"If-None-Match": desk.client.get(ITEMS).headers["etag"]}
    assert desk.client.get(ITEMS, headers=seen).status_code == 304
    desk.send("POST", "", feature(desk.database))
    assert desk.client.get(ITEMS, headers=seen).status_code == 200
