"""Lines and areas across borders: placed by intersection, counted in each commune they are in."""

import json
from pathlib import Path

import httpx
import pytest
import shapely
from pyproj import Geod
from sqlalchemy import text

from api.routes import summary
from gis.access import Role, create_key
from gis.boundaries.lineage import Key, old_shares
from gis.boundaries.units import Level
from gis.database.engine import Database
from gis.errors import BadLayerFile
from gis.placing.reference import stored_territory
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.ingest.regeocode import regeocode
from layers.storage.sync import sync
from tests.intake_layers import FILES, layer_of, load, publish, rows, waiting
from tests.integration.ogc_app import client_of
from tests.provinces import toy_communes

FIELDS = {"val": "number", "n": "integer", "note": "text"}


@pytest.fixture
def lines() -> Layer:
    return of_kind("line")


@pytest.fixture
def areas() -> Layer:
    return of_kind("polygon")


def of_kind(geometry: str) -> Layer:
    return Layer.model_validate(
        layer_of({"key": "id"}, FIELDS).model_dump() | {"geometry": geometry}
    )


def write(path: Path, **shapes: str) -> Path:
    members = [
        {
            "type": "Feature",
            "properties": {"id": key, "val": 1, "n": 1, "note": ""},
            "geometry": shapely.geometry.mapping(shapely.from_wkt(wkt)),
        }
        for key, wkt in shapes.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": members}))
    return path


def units(database: Database) -> dict[str, dict[str, float]]:
    with database.reading() as connection:
        found = connection.execute(
            text("SELECT t.source_key, u.commune, u.share FROM layer.mz t"
                 " JOIN layer.mz_units u USING (id) ORDER BY 1, 2")
        )  # fmt: skip
        shares: dict[str, dict[str, float]] = {}
        for key, commune, share in found:
            shares.setdefault(key, {})[commune] = round(share, 3)
        return shares


ROADS = {
    "inside": "LINESTRING(104.02 22.05, 104.08 22.05)",
    "three": "LINESTRING(104.05 22.05, 104.25 22.05)",
    "border": "LINESTRING(103.8 22.05, 104.1 22.05)",
    "outside": "LINESTRING(103.5 22.05, 103.9 22.05)",
}


def test_a_road_across_the_border_is_not_outside(
    toy_province: Database, lines: Layer, tmp_path: Path
) -> None:
    report = load(toy_province, lines, write(tmp_path / "roads.geojson", **ROADS))
    assert (report.added, report.outside) == (3, 1)
    assert rows(toy_province, "source_key, commune") == [
        ("border", "00001"), ("inside", "00001"), ("three", "00004"),
    ]  # fmt: skip
    assert units(toy_province) == {
        "border": {"00001": 0.333},
        "inside": {"00001": 1.0},
        "three": {"00001": 0.25, "00004": 0.5, "00007": 0.25},
    }
    assert [each.source_key for each in waiting(toy_province)] == ["outside"]


def test_the_files_of_a_department_keep_what_crosses_the_border(
    lao_cai: Database, lines: Layer
) -> None:
    report = load(lao_cai, lines, FILES / "k_lines.geojson")
    kept = {key for (key,) in rows(lao_cai, "source_key")}
    assert {"in", "in2", "start_out", "end_out", "mostly_in", "mid_out"} <= kept
    assert report.outside == 0
    assert set(units(lao_cai)) == kept


def test_an_area_across_the_border_is_kept_and_winds_right(lao_cai: Database, areas: Layer) -> None:
    report = load(lao_cai, areas, FILES / "k_polys2.geojson")
    kept = {key for (key,) in rows(lao_cai, "source_key")}
    assert {"cw", "over_border"} <= kept
    assert set(report.reasons) <= {"bad_geometry"}
    assert rows(lao_cai, "bool_and(ST_IsPolygonCCW(geom))", "1") == [(True,)]


def test_units_follow_every_change_of_a_row(
    toy_province: Database, lines: Layer, tmp_path: Path
) -> None:
    path = tmp_path / "roads.geojson"
    load(toy_province, lines, write(path, a=ROADS["three"], b=ROADS["inside"]))
    load(toy_province, lines, write(path, a=ROADS["inside"], b=ROADS["inside"]))
    assert units(toy_province) == {"a": {"00001": 1.0}, "b": {"00001": 1.0}}
    with toy_province.writing() as connection:
        connection.execute(text("DELETE FROM layer.mz WHERE source_key = 'a'"))
        assert connection.scalar(text("SELECT count(*) FROM layer.mz_units")) == 1
        connection.execute(text("UPDATE layer.mz SET note = 'x'"))
        assert connection.scalar(text("SELECT count(*) FROM layer.mz_units")) == 1
        connection.execute(text("TRUNCATE layer.mz"))
        assert connection.scalar(text("SELECT count(*) FROM layer.mz_units")) == 0


@pytest.fixture
def desk(toy_province: Database, lines: Layer, tmp_path: Path):
    load(toy_province, lines, write(tmp_path / "roads.geojson", **ROADS))
    with toy_province.writing() as connection:
        key = create_key(connection, "desk", Role.OPERATOR)
    with client_of(toy_province, [lines]) as client:
        client.app.include_router(summary.router)
        client.headers["X-API-Key"] = key
        yield client


def test_counts_are_by_intersection(desk: httpx.Client) -> None:
    answer = desk.get("/summary/mz?by=commune").json()
    assert answer["total"] == 3
    assert {
        each["commune"]: (each["count"], round(each["share"], 3)) for each in answer["groups"]
    } == {
        "00001": (3, 1.583), "00004": (1, 0.5), "00007": (1, 0.25),
    }  # fmt: skip
    assert answer["counted"] == "parts"
    filtered = desk.get("/summary/mz?by=commune&bbox=104.21,22,104.3,22.1").json()
    assert filtered["total"] == 1
    assert [each["commune"] for each in filtered["groups"]] == ["00001", "00004", "00007"]


def test_sizes_in_units_are_those_of_the_parts(desk: httpx.Client) -> None:
    geod, communes = Geod(ellps="WGS84"), toy_communes().set_index("code").geometry
    units = desk.get("/summary/mz?by=commune").json()["groups"]
    for unit in units:
        parts = [shapely.from_wkt(ROADS[key]) & communes[unit["commune"]] for key in ROADS]
        expected = sum(geod.geometry_length(part) for part in parts) / 1000
        assert unit["length_km"] == pytest.approx(expected, abs=0.001)
        assert unit["count"] == sum(part.length > 0 for part in parts)


def test_lines_count_in_each_old_district_that_holds_a_part(
    lao_cai: Database, lines: Layer, tmp_path: Path
) -> None:
    """Against the lineage, road by road: two from one end of the province to the other, and one in
    each commune."""
    with lao_cai.reading() as connection:
        territory = stored_territory(connection)
    west, south, east, north = territory.outline.bounds
    roads = {
        "down": shapely.LineString([(west, north), (east, south)]).wkt,
        "up": shapely.LineString([(west, south), (east, north)]).wkt,
    }
    for code, commune in zip(territory.table.codes, territory.table.shapes, strict=True):
        point = shapely.point_on_surface(commune)
        roads[code] = shapely.LineString([(point.x, point.y), (point.x + 1e-4, point.y)]).wkt
    load(lao_cai, lines, write(tmp_path / "roads.geojson", **roads))
    expected: dict[str | None, list[tuple[str, float]]] = {}
    mixed = set()
    for key, shares in units(lao_cai).items():
        for commune, share in shares.items():
            districts = old_shares(territory.history, Key(None, commune, False), Level.DISTRICT)
            for district, part in districts.items():
                expected.setdefault(district, []).append((key, share * part))
                mixed |= {district} if len(districts) > 1 else set()
    with lao_cai.writing() as connection:
        key = create_key(connection, "desk", Role.OPERATOR)
    with client_of(lao_cai, [lines]) as client:
        client.app.include_router(summary.router)
        answer = client.get("/summary/mz?by=old_district", headers={"X-API-Key": key}).json()
    assert (answer["counted"], answer["total"]) == ("parts", len(roads))
    found = {unit["old_district"]: unit for unit in answer["groups"]}
    assert found.keys() == expected.keys()
    for district, parts in expected.items():
        unit = found[district]
        assert unit["count"] == len({key for key, _ in parts})
        assert unit["share"] == pytest.approx(sum(share for _, share in parts), abs=0.02)
        assert unit["estimated"] == (district in mixed)
    assert sum(unit["count"] for unit in found.values()) > len(roads)
    assert sum(unit["length_km"] for unit in found.values()) > 100


def test_an_edit_winds_right_and_is_placed_by_intersection(
    toy_province: Database, areas: Layer
) -> None:
    publish(toy_province, areas)
    with toy_province.writing() as connection:
        key = create_key(connection, "desk", Role.OPERATOR)
    clockwise = shapely.box(104.05, 22.02, 104.12, 22.04, ccw=False)
    body = {
        "type": "Feature",
        "geometry": shapely.geometry.mapping(clockwise),
        "properties": {"note": "new"},
    }
    with client_of(toy_province, [areas]) as client:
        headers = {"X-API-Key": key}
        answer = client.post("/ogc/collections/mz/items", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
    assert rows(toy_province, "commune, ST_IsPolygonCCW(geom)") == [("00001", True)]
    ((_, shares),) = units(toy_province).items()
    assert shares == {"00001": 0.714, "00004": 0.286}


def test_a_layer_from_before_gets_its_units_and_new_boundaries_refresh_them(
    toy_province: Database, lines: Layer, tmp_path: Path
) -> None:
    load(toy_province, lines, write(tmp_path / "roads.geojson", **ROADS))
    before = units(toy_province)
    with toy_province.writing() as connection:
        connection.exec_driver_sql("SET ROLE gis_owner")
        for event in ("insert", "update", "delete", "truncate"):
            connection.exec_driver_sql(f"DROP TRIGGER units_{event} ON layer.mz")
        connection.exec_driver_sql("DROP TABLE layer.mz_units")
    publish(toy_province, lines)
    assert units(toy_province) == before
    with toy_province.writing() as connection:
        connection.exec_driver_sql("DELETE FROM layer.mz_units")
        connection.exec_driver_sql("UPDATE gis.layer SET placed_on = NULL")
    (done,) = regeocode(toy_province, Catalogue((lines,), {"mz": "1"}))
    assert (done.changed, done.outside) == (0, 0)
    assert units(toy_province) == before


def test_the_name_of_the_units_is_no_layer(toy_province: Database, lines: Layer) -> None:
    other = lines.model_copy(update={"id": "mz_units"})
    with toy_province.writing() as connection, pytest.raises(BadLayerFile, match="choose another"):
        sync(connection, Catalogue((lines, other), {"mz": "1", "mz_units": "1"}))
