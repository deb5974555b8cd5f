"""OGC API - DGGS for H3: zones that have records, and how many; below k nothing, as on tiles."""

import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any

import h3
import httpx
import jsonschema
import pyproj
import pytest
import shapely

from gis.access import Role
from gis.database.engine import Database
from tests.databases import Server
from tests.integration.hex_layers import (
    BESIDE,
    SEVEN,
    TENS,
    Desk,
    K,
    add,
    filled_desk,
    hex_service,
    key,
    publish,
)

REL = "https://www.opengis.net/def/rel/ogc/1.0"
GRID = "/ogc/collections/incidents/dggs/H3"
COUNTS = {TENS[0]: 13, TENS[40]: 2, TENS[80]: 9, BESIDE: 5}

# The schemas of OGC 21-038r1, clauses 10.3 and 14.2, in their own words.
ZONE_LIST = {
    "type": "object",
    "required": ["zones"],
    "properties": {
        "zones": {"type": "array", "items": {"type": "string"}},
        "returnedAreaMetersSquare": {"type": "number"},
        "links": {"type": "array", "items": {"type": "object", "required": ["href", "rel"]}},
    },
}
DGGS_JSON = {
    "type": "object",
    "required": ["dggrs", "zoneId", "depths", "values"],
    "properties": {
        "dggrs": {"type": "string", "format": "uri"},
        "zoneId": {"type": "string"},
        "depths": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "values": {
            "additionalProperties": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "depth": {"type": "integer"},
                        "shape": {"type": "object", "required": ["count", "subZones"]},
                        "data": {"type": "array", "items": {"type": ["number", "null"]}},
                    },
                },
            }
        },
    },
}


@pytest.fixture(scope="module")
def filled(postgres: Server, migrated: str) -> Iterator[Desk]:
    with filled_desk(postgres, migrated) as desk:
        yield desk


@pytest.fixture
def http(filled: Desk) -> httpx.Client:
    return filled.client


@pytest.fixture
def operator(filled: Desk) -> dict[str, str]:
    return filled.operator


@pytest.fixture
def fresh(database: Database) -> Iterator[httpx.Client]:
    """A service without records, to which a test adds its own."""
    publish(database)
    with hex_service(database) as client:
        yield client


def links(document: dict[str, Any]) -> dict[str, str]:
    """The last part of each relation and where it leads."""
    return {one["rel"].rsplit("/", 1)[-1]: one["href"] for one in document["links"]}


def zones(client: httpx.Client, headers: Any = None, path: str = GRID, **asked: Any) -> list[str]:
    params = {name.replace("_", "-"): value for name, value in asked.items()}
    answer = client.get(f"{path}/zones", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    jsonschema.validate(answer.json(), ZONE_LIST)
    return answer.json()["zones"]


def at(resolution: int, counts: dict[str, int] = COUNTS) -> Counter[str]:
    found: Counter[str] = Counter()
    for cell, number in counts.items():
        found[h3.cell_to_parent(cell, resolution)] += number
    return found


@pytest.mark.parametrize("origin", ["/ogc", "/ogc/collections/incidents"])
def test_links_lead_from_the_landing_page_or_a_collection_to_the_data_of_a_zone(
    http, operator, origin
):
    grids = http.get(links(http.get(origin).json())["dggrs-list"]).json()
    (one,) = grids["dggrs"]
    assert one["id"] == "H3" and {"self", "dggrs-definition"} <= set(links(one))
    grid = http.get(links(one)["self"]).json()
    assert {"id", "title", "description", "crs", "defaultDepth", "maxRefinementLevel"} <= set(grid)
    assert ("geodata" if "collections" in origin else "dataset") in links(grid)
    definition = http.get(links(grid)["dggrs-definition"]).json()
    assert definition["dggh"]["definition"]["refinementRatio"] == 7
    templates = {one["rel"]: one["uriTemplate"] for one in grid["linkTemplates"]}
    (first, *_) = http.get(links(grid)["dggrs-zone-query"], headers=operator).json()["zones"]
    zone = http.get(templates[f"{REL}/dggrs-zone-info"].replace("{zoneId}", first)).json()
    assert zone["id"] == first
    assert links(zone)["dggrs"] == links(one)["self"]
    data = http.get(templates[f"{REL}/dggrs-zone-data"].replace("{zoneId}", first))
    assert data.status_code == 200
    assert links(zone)["dggrs-zone-data"] == str(data.url)


def test_a_zone_says_where_it_is_and_what_is_above_below_and_beside_it(http):
    zone = http.get(f"/ogc/dggs/H3/zones/{SEVEN}").json()
    assert zone["level"] == 7
    assert zone["areaMetersSquare"] == pytest.approx(h3.cell_area(SEVEN, unit="m^2"), rel=1e-6)
    ring = shapely.Polygon([(lon, lat) for lat, lon in h3.cell_to_boundary(SEVEN)])
    assert shapely.geometry.shape(zone["geometry"]).equals_exact(ring.normalize(), 1e-9) or (
        shapely.geometry.shape(zone["geometry"]).symmetric_difference(ring).area < 1e-12
    )
    by_rel: dict[str, set[str]] = {}
    for one in zone["links"]:
        by_rel.setdefault(one["rel"], set()).add(one["href"].rsplit("/", 1)[-1])
    assert by_rel[f"{REL}/dggrs-zone-parent"] == {h3.cell_to_parent(SEVEN, 6)}
    assert by_rel[f"{REL}/dggrs-zone-child"] == set(h3.cell_to_children(SEVEN, 8))
    assert by_rel[f"{REL}/dggrs-zone-neighbor"] == set(h3.grid_ring(SEVEN, 1))


def test_zones_of_the_ends_of_h3_are_described_too_without_data(http):
    for cell in (h3.cell_to_parent(SEVEN, 0), h3.cell_to_center_child(SEVEN, 15)):
        zone = http.get(f"/ogc/dggs/H3/zones/{cell}").json()
        assert zone["id"] == cell and "dggrs-zone-data" not in links(zone)
        assert http.get(f"{GRID}/zones/{cell}/data").status_code == 400


def test_zones_of_each_level_are_those_that_have_records(http, operator):
    for level in range(5, 11):
        asked = {"zone_level": level, "compact_zones": "false"}
        assert zones(http, operator, **asked) == sorted(at(level))
    assert zones(http, operator) == sorted(COUNTS)


def test_compact_zones_stand_for_all_their_children(fresh, database):
    operator = key(database, Role.OPERATOR)
    children = sorted(h3.cell_to_children(SEVEN, 9))
    for nine in children:
        add(database, "incidents", h3.cell_to_center_child(nine, 10))
    add(database, "incidents", BESIDE)
    nine = h3.cell_to_parent(BESIDE, 9)
    answer = fresh.get(f"{GRID}/zones", params={"zone-level": 9}, headers=operator).json()
    assert answer["zones"] == [SEVEN, nine]
    area = sum(h3.cell_area(cell, unit="m^2") for cell in (*children, nine))
    assert answer["returnedAreaMetersSquare"] == pytest.approx(area, rel=1e-6)
    plain = zones(fresh, operator, zone_level=9, compact_zones="false")
    assert plain == sorted([*children, nine])


def test_a_parent_a_box_or_a_subset_narrows_the_zones(http, operator):
    within = sorted(cell for cell in COUNTS if cell != BESIDE)
    assert zones(http, operator, parent_zone=SEVEN) == within
    assert zones(http, operator, parent_zone=TENS[0]) == [TENS[0]]
    assert zones(http, operator, parent_zone=TENS[0], zone_level=9) == []
    lat, lon = h3.cell_to_latlng(TENS[0])
    near = (lon - 1e-6, lat - 1e-6, lon + 1e-6, lat + 1e-6)
    box = ",".join(map(str, near))
    assert zones(http, operator, bbox=box) == [TENS[0]]
    subset = f"Lat({near[1]}:{near[3]}),Lon({near[0]}:{near[2]})"
    assert zones(http, operator, subset=subset) == [TENS[0]]
    yx = f"{near[1]},{near[0]},{near[3]},{near[2]}"
    crs = "http://www.opengis.net/def/crs/EPSG/0/4326"
    assert zones(http, operator, **{"bbox": yx, "bbox_crs": crs}) == [TENS[0]]
    assert zones(http, operator, bbox="-180,-90,180,90") == sorted(COUNTS)
    assert zones(http, operator, bbox="0,0,1,1") == []
    assert zones(http, operator, bbox=f"{lon},{lat},{lon},{lat}") == [TENS[0]]
    assert zones(http, operator, bbox="300,200,301,201") == []
    assert zones(http, operator, bbox="0,0,0,1.7976931348623157e+308") == []
    assert zones(http, operator, bbox="-1e300,-1e300,1e300,1e300") == sorted(COUNTS)


def test_a_box_in_metres_is_moved_to_where_it_lies(http, operator):
    crs = "http://www.opengis.net/def/crs/EPSG/0/32648"
    lat, lon = h3.cell_to_latlng(TENS[0])
    moved = pyproj.Transformer.from_crs(4326, 32648, always_xy=True)
    east, north = moved.transform(lon, lat)
    box = f"{east - 1},{north - 1},{east + 1},{north + 1}"
    assert zones(http, operator, **{"bbox": box, "bbox_crs": crs}) == [TENS[0]]


def test_a_window_and_a_category_narrow_the_zones(http, operator):
    assert zones(http, operator, datetime="2026-04-01/..") == [TENS[0]]
    assert zones(http, operator, subset='time("2026-03-02":"2026-03-02")') == [TENS[40]]
    assert zones(http, operator, category="flood") == sorted([TENS[0], TENS[40]])
    # An instant stands for its day in Vietnam.
    assert zones(http, operator, datetime="2026-03-02T20:00:00Z") == [TENS[80]]


def test_a_filter_is_held_against_the_measures_and_the_shape_of_zones(http, operator):
    assert zones(http, operator, filter="count > 8") == sorted([TENS[0], TENS[80]])
    assert zones(http, operator, filter="count > 8 AND mean = 2") == [TENS[80]]
    assert zones(http, operator, filter="mean IS NULL") == sorted([TENS[40], BESIDE])
    lat, lon = h3.cell_to_latlng(BESIDE)
    assert zones(http, operator, filter=f"S_INTERSECTS(geometry, POINT({lon} {lat}))") == [BESIDE]
    wrong = http.get(f"{GRID}/zones", params={"filter": "kind = 'flood'"}, headers=operator)
    assert wrong.status_code == 400 and "count" in wrong.json()["detail"]


def test_pages_hold_every_zone_once(http, operator):
    seen, url = [], f"{GRID}/zones?limit=3"
    while url:
        page = http.get(url, headers=operator).json()
        seen += page["zones"]
        assert len(page["zones"]) <= 3
        url = links(page).get("next")
    assert seen == sorted(COUNTS)


def test_zones_come_as_geojson_and_as_64_bit_numbers(http, operator):
    found = http.get(f"{GRID}/zones?f=geojson", headers=operator)
    assert found.headers["content-type"] == "application/geo+json"
    told = {one["properties"]["zoneID"]: one for one in found.json()["features"]}
    assert {cell: one["properties"]["count"] for cell, one in told.items()} == COUNTS
    for cell, one in told.items():
        lat, lon = h3.cell_to_latlng(cell)
        assert shapely.geometry.shape(one["geometry"]).contains(shapely.Point(lon, lat))
    accepted = {"Accept": "application/x-binary", **operator}
    number, *cells = struct.unpack("<5Q", http.get(f"{GRID}/zones", headers=accepted).content)
    assert number == 4 and [f"{cell:x}" for cell in cells] == sorted(COUNTS)


@pytest.mark.parametrize(
    ("given", "depths"),
    [(None, [0]), ("0", [0]), ("2", [2]), ("0-3", [0, 1, 2, 3]), ("1,3", [1, 3])],
)
def test_data_hold_a_value_for_each_sub_zone_in_its_order(http, operator, given, depths):
    asked = {} if given is None else {"zone-depth": given}
    found = http.get(f"{GRID}/zones/{SEVEN}/data", params=asked, headers=operator).json()
    jsonschema.validate(found, DGGS_JSON)
    assert (found["zoneId"], found["depths"]) == (SEVEN, depths)
    assert http.get(found["dggrs"]).json()["title"] == "H3"
    assert set(found["schema"]["properties"]) == {"count", "per_km2", "mean"}
    inside = {cell: number for cell, number in COUNTS.items() if cell != BESIDE}
    for values in found["values"]["count"]:
        level = 7 + values["depth"]
        order = sorted(h3.cell_to_children(SEVEN, level))
        assert values["shape"]["subZones"] == len(order)
        counts = at(level, inside)
        assert values["data"] == [counts.get(cell) for cell in order]


def test_data_come_as_geojson_and_as_plain_cell_ids(http, operator):
    path = f"{GRID}/zones/{SEVEN}/data"
    found = http.get(path, params={"zone-depth": "0,3", "f": "geojson"}, headers=operator).json()
    counts = {one["id"]: one["properties"]["count"] for one in found["features"]}
    assert counts == {SEVEN: 24, TENS[0]: 13, TENS[40]: 2, TENS[80]: 9}
    plain = http.get(path, params={"zone-depth": "3", "f": "txt"}, headers=operator)
    assert plain.text.split() == sorted([TENS[0], TENS[40], TENS[80]])
    by_media = http.get(path, headers={"Accept": "application/geo+json", **operator})
    assert by_media.headers["content-type"] == "application/geo+json"


def test_the_root_gives_the_counts_of_all_collections(http, operator):
    found = http.get(f"/ogc/dggs/H3/zones/{SEVEN}/data", headers=operator).json()
    assert {name: one[0]["data"] for name, one in found["values"].items()} == {
        "incidents_count": [24], "counted_count": [24], "closed_count": [None]
    }  # fmt: skip
    assert zones(http, operator, "/ogc/dggs/H3", filter="counted_count = 13") == [TENS[0]]
    public = http.get(f"/ogc/dggs/H3/zones/{SEVEN}/data").json()["values"]
    assert set(public) == {"incidents_count", "counted_count"}


def test_zones_and_data_hide_from_the_public_what_tiles_hide(http):
    shown = http.get(f"{GRID}/zones?f=geojson&zone-level=10&compact-zones=false").json()
    counts = {one["id"]: one["properties"]["count"] for one in shown["features"]}
    assert TENS[40] not in counts and min(counts.values()) >= K
    assert all("mean" not in one["properties"] for one in shown["features"])
    data = http.get(f"{GRID}/zones/{SEVEN}/data?zone-depth=3").json()["values"]
    hidden = data["count"][0]["data"][sorted(TENS).index(TENS[40])]
    empty = data["count"][0]["data"][sorted(TENS).index(TENS[41])]
    assert hidden is None and empty is None and "mean" not in data
    assert zones(http, category="flood") == [SEVEN]
    fine = http.get(f"{GRID}/zones?category=flood&zone-level=8")
    assert fine.status_code == 400 and "up to resolution 7" in fine.json()["detail"]
    deep = http.get(f"{GRID}/zones/{SEVEN}/data?category=flood&zone-depth=1")
    assert deep.status_code == 400
    days = http.get(f"{GRID}/zones?datetime=2026-03-02T00:00:00Z/..")
    assert days.status_code == 400 and "whole months" in days.json()["detail"]
    assert zones(http, filter="count < 5") == []


def test_counts_that_are_open_have_zones_though_their_records_are_closed(http):
    assert http.get("/ogc/collections/counted").status_code == 404
    path = "/ogc/collections/counted/dggs/H3"
    assert SEVEN in zones(http, path=path, zone_level=7)
    for closed in ("closed", "nowhere"):
        for what in ("", "/H3", "/H3/zones", f"/H3/zones/{SEVEN}", f"/H3/zones/{SEVEN}/data"):
            assert http.get(f"/ogc/collections/{closed}/dggs{what}").status_code == 404


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/zones", {"zone-level": "4"}, 400),
        ("/zones", {"zone-level": "x"}, 400),
        ("/zones", {"compact-zones": "maybe"}, 400),
        ("/zones", {"parent-zone": "nonsense"}, 400),
        ("/zones", {"bbox": "1,2,3"}, 400),
        ("/zones", {"bbox": "0,0,1,1", "subset": "Lat(0:1)"}, 400),
        ("/zones", {"subset": "Height(1:2)"}, 400),
        ("/zones", {"subset": "Lat(1:2"}, 400),
        ("/zones", {"subset": "Lat(a:b)"}, 400),
        ("/zones", {"datetime": "garbage"}, 400),
        ("/zones", {"limit": "0"}, 400),
        ("/zones", {"f": "xml"}, 400),
        ("/zones", {"typo": "1"}, 400),
        ("/zones", {"filter": "count >"}, 400),
        (f"/zones/{SEVEN}/data", {"zone-depth": "4"}, 400),
        (f"/zones/{SEVEN}/data", {"zone-depth": "3-1"}, 400),
        (f"/zones/{SEVEN}/data", {"zone-depth": "-1"}, 400),
        (f"/zones/{SEVEN}/data", {"category": "fire"}, 400),
        ("/zones/nonsense", {}, 404),
        ("/zones/nonsense/data", {}, 404),
    ],
)
def test_wrong_queries_are_distinguished_from_what_is_not_there(http, path, asked, status):
    answer = http.get(GRID + path, params=asked)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


def test_the_definition_names_every_operation_of_zones(http):
    definition = http.get("/ogc/openapi").json()
    named = {path["get"]["operationId"] for path in definition["paths"].values() if "get" in path}
    for what in (
        "getDGGRSList",
        "getDGGRS",
        "getDGGRSZones",
        "getDGGRSZoneInfo",
        "getDGGRSZoneData",
    ):
        assert {f"dataset.{what}", f"collection.incidents.{what}"} <= named


def test_unchanged_zones_are_304(fresh, database):
    add(database, "incidents", TENS[0], 6)
    for path in ("", "/zones", f"/zones/{SEVEN}/data"):
        etag = fresh.get(GRID + path).headers["ETag"]
        assert fresh.get(GRID + path, headers={"If-None-Match": etag}).status_code == 304
    add(database, "incidents", TENS[0])
    changed = fresh.get(f"{GRID}/zones/{SEVEN}/data", headers={"If-None-Match": etag})
    assert changed.status_code == 200
