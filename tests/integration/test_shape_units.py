"""Lines and areas across borders: placed by intersection, counted in each commune they are in."""

import json
from pathlib import Path

import httpx
import pytest
import shapely
from sqlalchemy import text

from api.routes import counts
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.errors import BadLayerFile
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.ingest.regeocode import regeocode
from layers.storage.sync import sync
from tests.intake_layers import FILES, layer_of, load, publish, rows, waiting
from tests.integration.ogc_app import client_of

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
        client.app.include_router(counts.router)
        client.headers["X-API-Key"] = key
        yield client


def test_counts_are_by_intersection(desk: httpx.Client) -> None:
    answer = desk.get("/counts/mz").json()
    assert answer["total"] == 3
    assert {each["code"]: (each["count"], each["share"]) for each in answer["units"]} == {
        "00001": (3, 1.583), "00004": (1, 0.5), "00007": (1, 0.25),
    }  # fmt: skip
    filtered = desk.get("/counts/mz", params={"bbox": "104.21,22,104.3,22.1"}).json()
    assert filtered["total"] == 1
    assert [each["code"] for each in filtered["units"]] == ["00001", "00004", "00007"]


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
