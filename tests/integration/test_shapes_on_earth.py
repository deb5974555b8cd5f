"""No shape with a vertex off the earth gets into a layer, by whichever door."""

import itertools
import json
from pathlib import Path

import httpx
import numpy as np
import pyogrio
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from gis.access import LOCAL_ADMIN, Role, create_key
from gis.boundaries.loader import load_boundaries, load_former
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.database.engine import Database
from gis.database.roles import as_owner
from gis.errors import BadFile, BadInput
from layers.definition.catalogue import Catalogue
from layers.definition.model import GeometryKind, Layer
from layers.ingest.corrections import fix
from layers.ingest.edit import history, revert
from layers.ingest.records import FileOptions
from layers.ingest.retry import replay
from layers.storage.sync import SyncReport, sync
from tests.intake_layers import FILES, execute, layer_of, load, publish, rows, waiting
from tests.integration.ogc_app import client_of
from tests.provinces import SINCE, toy_communes, toy_history, write_boundaries

POLYGONS = layer_of({"key": "k"}, {"k": "text", "name": "text"}, geometry="polygon")
LINES = POLYGONS.model_copy(update={"geometry": GeometryKind.LINE})
REFERENCE = POLYGONS.model_copy(update={"placed": False})
BAD = ["1e308", "-1e308", "1e400", "200", "1042.0", "-181"]
GOOD = [(104.01, 22.01), (104.02, 22.01), (104.02, 22.02), (104.01, 22.02)]


def coordinates(layer: Layer, bad: str = "", at: int = 2, axis: int = 0) -> str:
    """Of a line or polygon as JSON, with one bad number in it."""
    points = [[str(x), str(y)] for x, y in GOOD]
    if bad:
        points[at][axis] = bad
    if layer.geometry is GeometryKind.POLYGON:
        points.append(points[0])
    text = "[" + ",".join(f"[{x},{y}]" for x, y in points) + "]"
    return f"[{text}]" if layer.geometry is GeometryKind.POLYGON else text


def feature(layer: Layer, key: str, place: str) -> str:
    kind = "Polygon" if layer.geometry is GeometryKind.POLYGON else "LineString"
    return (
        f'{{"type":"Feature","properties":{{"k":"{key}"}},'
        f'"geometry":{{"type":"{kind}","coordinates":{place}}}}}'
    )


def geojson(path: Path, *features: str) -> Path:
    path.write_text(f'{{"type":"FeatureCollection","features":[{",".join(features)}]}}')
    return path


def stored(database: Database) -> list[str]:
    return [key for (key,) in rows(database, "k")]


@pytest.mark.parametrize("layer", [POLYGONS, LINES, REFERENCE])
def test_of_a_file_only_good_shapes_land(
    toy_province: Database, tmp_path: Path, layer: Layer
) -> None:
    places = itertools.product(BAD, range(len(GOOD)), range(2))
    spoilt = [feature(layer, f"bad {n}", coordinates(layer, *one)) for n, one in enumerate(places)]
    path = geojson(tmp_path / "s.geojson", *spoilt, feature(layer, "good", coordinates(layer)))
    report = load(toy_province, layer, path, answers=FileOptions(crs="declared"))
    assert (report.added, report.quarantined) == (1, len(spoilt))
    assert stored(toy_province) == ["good"]
    with toy_province.writing() as connection:
        (tried,) = replay(connection, layer, actor="tests")
    assert (tried.report.added, tried.still_waiting) == (0, len(spoilt))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308, 200.0])
def test_of_a_binary_file_only_good_shapes_land(
    toy_province: Database, tmp_path: Path, bad: float
) -> None:
    xy = np.array([*GOOD, GOOD[0]])
    xy[2, 0] = bad
    with np.errstate(invalid="ignore"):
        shapes = [shapely.linestrings(xy), shapely.linestrings(GOOD)]
    keys = np.array(["bad", "good"], object)
    pyogrio.raw.write(
        tmp_path / "s.gpkg", shapely.to_wkb(shapes), [keys], ["k"],
        geometry_type="LineString", crs="EPSG:4326",
    )  # fmt: skip
    assert load(toy_province, LINES, tmp_path / "s.gpkg").added == 1
    assert stored(toy_province) == ["good"]


def test_the_typing_error_of_an_office_waits_with_its_vertex(lao_cai: Database) -> None:
    for layer in (POLYGONS, REFERENCE.model_copy(update={"id": "reference"})):
        report = load(lao_cai, layer, FILES / "typo.geojson")
        assert (report.added, report.reasons) == (1, {"bad_geometry": 1})
    (record,) = waiting(lao_cai)
    assert "vertex 4 (1042 22.195) is not on the earth" in record.why
    with lao_cai.writing() as connection:
        geometry = record.raw["geometry"].replace("1042 ", "104.2 ")
        fix(connection, record.id, {"geometry": geometry}, "officer")
        (tried,) = replay(connection, POLYGONS, actor="officer")
    assert tried.report.added == 1 and waiting(lao_cai) == []


def test_a_vertex_far_from_the_province_waits_but_in_a_reference_layer(
    toy_province: Database, tmp_path: Path
) -> None:
    far = coordinates(LINES, "109.2", at=3)
    path = geojson(tmp_path / "s.geojson", feature(LINES, "far", far))
    assert load(toy_province, LINES, path).reasons == {"bad_geometry": 1}
    assert "lies far from the province" in waiting(toy_province)[0].why
    reference = LINES.model_copy(update={"placed": False})
    assert load(toy_province, reference, path).added == 1


@pytest.mark.parametrize(("name", "good"), [("unclosed.geojson", 1), ("polys_empty.geojson", 1)])
def test_one_bad_geometry_stops_no_other_record(lao_cai: Database, name: str, good: int) -> None:
    report = load(lao_cai, REFERENCE, FILES / name)
    assert (report.added, report.reasons) == (good, {"bad_geometry": 1})
    assert load(lao_cai, REFERENCE, FILES / name).unchanged == good
    with lao_cai.writing() as connection:
        (tried,) = replay(connection, REFERENCE, actor="tests")
    assert tried.still_waiting == 1


@pytest.fixture
def desk(toy_province: Database):
    publish(toy_province, LINES)
    with toy_province.writing() as connection:
        key = create_key(connection, "tests", Role.ADMIN, [])
    with client_of(toy_province, [LINES]) as client:
        client.headers.update({"X-API-Key": key, "Content-Type": "application/geo+json"})
        yield client


ITEMS = "/ogc/collections/mz/items"
SPOILT = [
    *((bad, "4326") for bad in [*BAD, "NaN", "null", "109.2"]),
    ("1e30", "9208"),
    ("9e7", "9208"),
]


@pytest.mark.parametrize(("bad", "srid"), SPOILT)
def test_no_request_stores_a_bad_vertex(
    toy_province: Database, desk: httpx.Client, bad: str, srid: str
) -> None:
    assert desk.post(ITEMS, content=feature(LINES, "good", coordinates(LINES))).status_code == 201
    (item,) = desk.get(ITEMS).json()["features"]
    place = coordinates(LINES, bad) if srid == "4326" else f"[[430000,2440000],[{bad},2440100]]"
    crs = "OGC/1.3/CRS84" if srid == "4326" else f"EPSG/0/{srid}"
    headers = {"Content-Crs": f"<http://www.opengis.net/def/crs/{crs}>"}
    for method, path in (("POST", ""), ("PUT", f"/{item['id']}"), ("PATCH", f"/{item['id']}")):
        answer = desk.request(
            method, ITEMS + path, content=feature(LINES, "bad", place), headers=headers
        )
        assert answer.status_code == 400, answer.text
    assert stored(toy_province) == ["good"]
    assert json.loads(desk.get(ITEMS).content)["features"] == [item]


def test_a_change_cannot_be_reverted_to_a_bad_shape(
    toy_province: Database, desk: httpx.Client
) -> None:
    desk.post(ITEMS, content=feature(LINES, "good", coordinates(LINES)))
    (item,) = desk.get(ITEMS).json()["features"]
    desk.request("PATCH", f"{ITEMS}/{item['id']}", content='{"properties":{"name":"x"}}')
    with np.errstate(invalid="ignore"):
        bad = shapely.from_wkt("MULTILINESTRING ((104 22, NaN NaN, 104 23))")
    ewkb = shapely.to_wkb(shapely.set_srid(bad, 4326), hex=True, include_srid=True)
    execute(
        toy_province,
        f'UPDATE gis.row_history SET before = before || \'{{"geom": "{ewkb}"}}\''
        " WHERE before IS NOT NULL",
    )
    with pytest.raises(BadInput), toy_province.writing() as connection:
        change = history(connection, "mz")[0]
        revert(connection, LINES, change.id, LOCAL_ADMIN)


@pytest.mark.parametrize(
    ("geometry", "good"),
    [
        ("POINT(104 22)", True),
        ("LINESTRING(104 22, 104 23)", True),
        ("POLYGON((104 22, 105 22, 105 23, 104 22))", True),
        ("POINT(180 -90)", True),
        ("POINT EMPTY", False),
        ("POINT(NaN NaN)", False),
        ("POINT(104 inf)", False),
        ("LINESTRING(104 22, NaN NaN, 104 23)", False),
        ("LINESTRING(104 22, 104 NaN, 104 23)", False),
        ("LINESTRING(104 22, inf 23)", False),
        ("POLYGON((104 22, 105 22, NaN 23, 104 22))", False),
        ("POLYGON((104 22, 105 22, 200 23, 104 22))", False),
        ("MULTIPOLYGON(((104 22, 105 22, 105 23, 104 22)), ((1 1, 2 1, 2 NaN, 1 1)))", False),
    ],
)
def test_the_database_itself_knows_what_is_on_earth(
    standing_province: Database, geometry: str, good: bool
) -> None:
    with standing_province.reading() as connection:
        asked = text("SELECT gis.is_on_earth(ST_GeomFromWKB(:shape, 4326))")
        with np.errstate(invalid="ignore"):
            shape = shapely.to_wkb(shapely.from_wkt(geometry))
        assert connection.scalar(asked, {"shape": shape}) is good


def test_every_layer_table_checks_its_shapes(toy_province: Database, catalogue: Catalogue) -> None:
    tables = [layer.id for layer in catalogue.layers if not layer.is_view]
    with toy_province.reading() as connection:
        checked = connection.scalars(
            text(
                "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'c'"
                " AND pg_get_constraintdef(oid) LIKE '%is_on_earth(geom)%'"
            )
        ).all()
    assert set(checked) == {f"layer.{one}" for one in tables} | {"gis.admin_unit"}


def test_rows_of_a_table_from_before_the_check_go_to_quarantine(
    toy_province: Database, tmp_path: Path
) -> None:
    path = geojson(
        tmp_path / "s.geojson",
        *(feature(LINES, key, coordinates(LINES)) for key in ("bad", "good")),
    )
    load(toy_province, LINES, path)
    with toy_province.writing() as connection, as_owner(connection):
        connection.exec_driver_sql('ALTER TABLE layer.mz DROP CONSTRAINT "mz.on_earth"')
    execute(
        toy_province,
        "UPDATE layer.mz SET name = 'kept',"
        " geom = ST_GeomFromText('MULTILINESTRING((104.01 22.01, NaN NaN, 104.02 22.02))', 4326)"
        " WHERE k = 'bad'",
    )
    with toy_province.writing() as connection:
        changes = sync(connection, Catalogue((LINES,), {"mz": "1"}))
    assert [one.change for one in changes] == [SyncReport.QUARANTINED]
    assert stored(toy_province) == ["good"]
    (record,) = waiting(toy_province)
    assert (record.source, record.source_key, record.reason) == ("tests", "bad", "bad_geometry")
    assert record.raw["name"] == "kept"
    with pytest.raises(IntegrityError, match="on_earth"):
        execute(
            toy_province,
            "UPDATE layer.mz SET geom = ST_GeomFromText('MULTILINESTRING((1 1, NaN 1))', 4326)",
        )
    with toy_province.writing() as connection:
        assert sync(connection, Catalogue((LINES,), {"mz": "1"})) == []
        replay(connection, LINES, actor="tests")
        fix(connection, record.id, {"geometry": "LINESTRING (104.01 22.01, 104.02 22.01)"}, "tests")
        replay(connection, LINES, actor="tests")
    assert stored(toy_province) == ["bad", "good"]


@pytest.mark.parametrize("bad", [1042.0, 140.2, np.inf])
def test_boundaries_with_such_a_vertex_are_refused_by_the_name_of_their_commune(
    toy_province: Database, tmp_path: Path, bad: float
) -> None:
    communes = toy_communes().to_crs("EPSG:4326")
    xy = shapely.get_coordinates(communes.geometry.iloc[1])
    xy[1, 0] = bad
    communes.loc[1, "geometry"] = shapely.polygons(xy)
    path = tmp_path / "communes.gpkg"
    communes.to_file(path)
    with pytest.raises(BadFile, match="commune 00004"):
        load_boundaries(
            toy_province, BoundarySource("new", BoundaryQuality.OFFICIAL, (path,)), toy_history()
        )
    with pytest.raises(BadFile, match="commune 00004"):
        load_former(toy_province, path, SINCE)
    assert write_boundaries(tmp_path, toy_communes()).exists()
