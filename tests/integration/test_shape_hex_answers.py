"""Hexes of lines and areas over HTTP: the same numbers as every shape cut by every hex has."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h3
import numpy as np
import pytest
import shapely
from pyproj import Geod
from sqlalchemy import text

from gis.access import Role
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.jobs.covers import fill_waiting_covers
from tests.databases import Server
from tests.integration.hex_layers import Desk, K, hex_service, hexes, key, publish, tile_of, variant

HEXES = {"resolutions": [5, 6, 7, 8, 9], "category": "kind", "measure": "depth_m", "min_count": K,
         "filter_resolution": 6}  # fmt: skip
CLOSED = {"access": {"read": "department"}}
LINES = variant("lines", geometry="line", hexes=HEXES)
AREAS = variant("areas", geometry="polygon", hexes={**HEXES, "read": "public"}, **CLOSED)
POINTS = variant("points", hexes={"category": "kind", "min_count": K})
SECRET = variant("secret", geometry="line", hexes=HEXES, **CLOSED)
LAYERS = Catalogue((LINES, AREAS, POINTS, SECRET))
MIDDLE = (22.35, 103.95)
GEOD = Geod(ellps="WGS84")


@dataclass(frozen=True)
class Record:
    shape: shapely.Geometry
    kind: str
    depth_m: float | None
    at: str | None


def made(geometry: str) -> list[Record]:
    random = np.random.default_rng(3)
    records = []
    for n in range(30):
        spread = random.choice([0.003, 0.02])
        middle = random.normal(MIDDLE[::-1], 0.02)
        shape = shapely.LineString(random.normal(middle, spread, (3, 2)))
        at = None if n == 0 else f"2026-0{3 + n % 2}-1{n % 9}T12:00+07:00"
        depth_m = None if n % 4 == 0 else n / 2
        kind = ("flood", "road")[n % 3 == 0]
        records.append(
            Record(shape if geometry == "line" else shape.buffer(0.004), kind, depth_m, at)
        )
    return records


RECORDS = {"lines": made("line"), "areas": made("polygon"), "secret": made("line")}


@pytest.fixture(scope="module")
def desk(postgres: Server, toy_template: str) -> Iterator[Desk]:
    with postgres.opened(toy_template) as database:
        publish(database, LAYERS)
        for layer, records in RECORDS.items():
            store(database, layer, records)
        fill_waiting_covers(database, LAYERS)
        with hex_service(database, LAYERS) as client:
            yield Desk(client, key(database, Role.OPERATOR))


def store(database: Database, layer: str, records: list[Record]) -> None:
    statement = text(
        f"INSERT INTO layer.{layer} (geom, kind, depth_m, valid_at, source, source_key) VALUES"
        " (ST_Multi(ST_GeomFromWKB(:shape, 4326)), :kind, :depth_m, :at, 'test',"
        " gen_random_uuid()::text)"
    )
    with database.writing() as connection:
        for record in records:
            values = vars(record) | {"shape": shapely.to_wkb(record.shape)}
            connection.execute(statement, values)


def expected(
    records: list[Record], cell: str, kind: str | None = None, month: str = ""
) -> dict[str, Any]:
    """The measures of a cell, from each record cut by it."""
    hexagon = shapely.Polygon([(lon, lat) for lat, lon in h3.cell_to_boundary(cell)])
    cut = [(record, shapely.intersection(record.shape, hexagon)) for record in records]
    inside = [(r, part) for r, part in cut if not part.is_empty
              and (not month or (r.at or "").startswith(month))]  # fmt: skip
    wanted = [(r, part) for r, part in inside if kind in (None, r.kind)]
    lines = records[0].shape.geom_type == "LineString"
    measures: dict[str, Any] = {"count": len(wanted)}
    if lines:
        measures["length_km"] = sum(GEOD.geometry_length(part) for _, part in wanted) / 1e3
    else:
        areas = [GEOD.geometry_area_perimeter(part)[0] for _, part in wanted]
        measures["covered_km2"] = sum(map(abs, areas)) / 1e6
    if kind is not None:
        measures["share"] = len(wanted) / max(len(inside), 1)
    depths = [r.depth_m for r, _ in wanted if r.depth_m is not None]
    if depths:
        measures["mean"] = sum(depths) / len(depths)
    return measures


def around(resolution: int) -> list[str]:
    """The cells that may hold a part of a record."""
    west, south, east, north = (
        MIDDLE[1] - 0.15,
        MIDDLE[0] - 0.15,
        MIDDLE[1] + 0.15,
        MIDDLE[0] + 0.15,
    )
    return h3.geo_to_cells(shapely.box(west, south, east, north), resolution)


@pytest.mark.parametrize("layer", ["lines", "areas"])
@pytest.mark.parametrize(("resolution", "z"), [(6, 8), (7, 10), (8, 11)])
@pytest.mark.parametrize(
    ("asked", "told"),
    [({}, {}), ({"category": "road"}, {"kind": "road"}),
     ({"datetime": "2026-03-01/2026-03-31"}, {"month": "2026-03"}),
     ({"category": "flood", "datetime": "2026-04-01/2026-04-30"},
      {"kind": "flood", "month": "2026-04"})],
    ids=["all", "category", "days", "both"],
)  # fmt: skip
def test_a_shape_counts_in_each_hex_that_holds_a_part_of_it(
    desk, layer, resolution, z, asked, told
):
    records = RECORDS[layer]
    cells = around(resolution)
    found = {}
    for tile in {tile_of(cell, z) for cell in cells}:
        found |= hexes(desk.client, layer, tile, desk.operator, **asked)
    assert {h3.get_resolution(cell) for cell in found} == {resolution}
    for cell in cells:
        wanted = expected(records, cell, **told)
        if wanted["count"] == 0:
            assert cell not in found
            continue
        measures = {name: found[cell].properties.get(name) for name in wanted}
        assert measures == pytest.approx(wanted, rel=2e-3, abs=1e-5)


@pytest.mark.parametrize("layer", ["lines", "areas"])
def test_zones_and_their_data_are_those_of_the_tiles(desk, layer):
    base = f"/ogc/collections/{layer}/dggs/H3/zones"
    asked = {"zone-level": 8, "compact-zones": "false"}
    answer = desk.client.get(base, params=asked, headers=desk.operator)
    cells = [cell for cell in around(8) if expected(RECORDS[layer], cell)["count"]]
    assert sorted(answer.json()["zones"]) == sorted(cells)
    parent = h3.cell_to_parent(cells[0], 7)
    data = desk.client.get(
        f"{base}/{parent}/data", params={"zone-depth": 1, "f": "geojson"}, headers=desk.operator
    ).json()
    found = {one["properties"]["zoneID"]: one["properties"]["count"] for one in data["features"]}
    assert found == {
        child: count
        for child in h3.cell_to_children(parent, 8)
        if (count := expected(RECORDS[layer], child)["count"])
    }


@pytest.mark.parametrize("layer", ["lines", "areas"])
def test_every_form_of_zones_and_data_is_given(desk, layer):
    base = f"/ogc/collections/{layer}/dggs/H3/zones"
    cell = h3.latlng_to_cell(*MIDDLE, 7)
    for path, forms in ((base, ("json", "geojson", "binary")),
                        (f"{base}/{cell}/data", ("json", "geojson", "txt"))):  # fmt: skip
        for form in forms:
            answer = desk.client.get(path, params={"f": form}, headers=desk.operator)
            assert answer.status_code == 200, answer.text
    values = desk.client.get(f"{base}/{cell}/data", headers=desk.operator).json()["values"]
    wanted = expected(RECORDS[layer], cell)
    for name, value in wanted.items():
        assert values[name][0]["data"] == pytest.approx([value], rel=2e-3)
    size = "length_km" if layer == "lines" else "covered_km2"
    many = desk.client.get(
        base, params={"filter": f"{size} > 0.5", "zone-level": 8, "compact-zones": "false"},
        headers=desk.operator,
    ).json()["zones"]  # fmt: skip
    assert sorted(many) == sorted(
        each for each in around(8) if expected(RECORDS[layer], each)[size] > 0.5
    )


def test_hexes_of_shapes_are_listed_drawn_and_explained(desk):
    listed = {one["id"]: one for one in desk.client.get("/layers").json()["layers"]}
    assert {"lines", "areas", "points"} <= {
        name for name, one in listed.items() if one["has_hexes"]
    }
    sources = desk.client.get("/styles/map.json").json()["sources"]
    for layer in ("lines", "areas"):
        assert f"{layer}_hexes" in sources
        assert desk.client.get(f"/styles/{layer}/hexes.json").status_code == 200
        assert desk.client.get(f"/legends/{layer}.json").json()["hexes"]
    project = desk.client.get("/qgis/project.qgz", headers=desk.operator)
    assert project.status_code == 200
    with zipfile.ZipFile(io.BytesIO(project.content)) as packed:
        (document,) = [packed.read(name).decode() for name in packed.namelist() if ".qgs" in name]
    assert all(f"/hexes/{layer}/" in document for layer in ("lines", "areas", "points"))


def test_hexes_finer_than_the_covers_are_refused_and_no_zeros(desk):
    base = "/ogc/collections/lines/dggs/H3/zones"
    answer = desk.client.get(base, params={"zone-level": 10}, headers=desk.operator)
    assert answer.status_code == 400
    assert "counted up to resolution 9, not at 10" in answer.text
    ten = h3.latlng_to_cell(*MIDDLE, 10)
    facts = desk.client.get(f"/hexes/{ten}", headers=desk.operator).json()
    assert facts["layers"]["lines"] == {"count": None, "trend": None}
    assert facts["layers"]["points"]["count"] == 0
    root = desk.client.get("/ogc/dggs/H3/zones", params={"zone-level": 10}, headers=desk.operator)
    assert root.status_code == 200
    assert root.json()["zones"] == []


def test_a_hex_gives_what_lies_in_it_and_its_weeks(desk):
    for resolution in (5, 7, 9):
        cell = h3.latlng_to_cell(*MIDDLE, resolution)
        facts = desk.client.get(f"/hexes/{cell}", headers=desk.operator).json()["layers"]
        for layer in ("lines", "areas"):
            wanted = expected(RECORDS[layer], cell)
            assert facts[layer]["count"] == wanted["count"]
            assert facts[layer]["trend"]["step"] == "week"


def test_the_public_sees_one_resolution_and_no_hex_below_k(desk):
    """Of smaller hexes in a larger one, or of larger ones, differences would tell of few."""
    public = desk.client
    counts = {cell: expected(RECORDS["areas"], cell)["count"] for cell in around(6)}
    few = {cell for cell, count in counts.items() if 0 < count < K}
    assert few
    for z in (4, 9, 13):
        tiles = {tile_of(cell, z) for cell in counts}
        found = {}
        for tile in tiles if z < 13 else {tile_of(next(iter(counts)), z)}:
            found |= hexes(public, "areas", tile)
        shown = {cell: one.properties["count"] for cell, one in found.items()}
        assert not few & shown.keys()
        assert all(counts[cell] == count for cell, count in shown.items())
        assert {h3.get_resolution(cell) for cell in shown} <= {6}
        for one in found.values():
            assert not {"covered_km2", "mean"} & one.properties.keys()
    assert max(counts.values()) >= K
    base = "/ogc/collections/areas/dggs/H3/zones"
    for level in (5, 7, 8):
        answer = public.get(base, params={"zone-level": level})
        assert answer.status_code == 400
        assert "shown at resolution 6 alone" in answer.text
    assert public.get(base, params={"zone-level": 6}).status_code == 200


def test_the_public_may_ask_for_a_category_or_a_month_where_k_holds(desk):
    zones = "/ogc/collections/areas/dggs/H3/zones"
    for asked, told in (({"category": "flood"}, {"kind": "flood"}),
                        ({"datetime": "2026-03-01/2026-03-31"}, {"month": "2026-03"})):  # fmt: skip
        answer = desk.client.get(zones, params={"zone-level": 6, "f": "geojson", **asked})
        shown = {one["properties"]["zoneID"]: one["properties"]["count"]
                 for one in answer.json()["features"]}  # fmt: skip
        assert shown
        for cell, count in shown.items():
            of_all = expected(RECORDS["areas"], cell)["count"]
            assert count == expected(RECORDS["areas"], cell, **told)["count"] >= K
            assert of_all == count or of_all - count >= K


def test_hexes_of_a_closed_layer_are_found_by_nobody_else(desk):
    tile = tile_of(h3.latlng_to_cell(*MIDDLE, 7), 9)
    path = f"/hexes/secret/{tile.z}/{tile.x}/{tile.y}.mvt"
    assert desk.client.get(path).status_code == 404
    assert desk.client.get(path, headers=desk.operator).status_code == 200
    assert desk.client.get("/ogc/collections/secret/dggs/H3/zones").status_code == 404
