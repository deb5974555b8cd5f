"""Points, lines and polygons from files with geometry."""

import json
from pathlib import Path

import pytest
from pyproj import Transformer
from sqlalchemy import text

from gis.database.engine import Database
from gis.errors import BadFile
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.ingest.corrections import fix
from layers.ingest.load import LoadOptions, LoadReport, load_file
from layers.ingest.quarantine import list_waiting
from layers.ingest.retry import replay
from layers.storage.sync import sync

WORDS = {"vi": "Một", "en": "One"}


def layer(geometry: str, *, placed: bool = True) -> Layer:
    return Layer.model_validate(
        {
            "id": "parcels",
            "title": WORDS,
            "description": WORDS,
            "department": WORDS,
            "licence": "MIT",
            "geometry": geometry,
            "placed": placed,
            "source": {"connector": "file", "key": "number"},
            "fields": {
                "number": {"type": "text", "label": WORDS},
                "floors": {"type": "integer", "label": WORDS},
            },
        }
    )


def square(west: float, south: float, size: float = 0.01) -> list:
    east, north = west + size, south + size
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def write(folder: Path, *features: tuple[str, dict | None, str]) -> Path:
    """Features as (number, geometry, floors)."""
    path = folder / "parcels.geojson"
    members = [
        {"type": "Feature", "geometry": geometry, "properties": {"number": n, "floors": floors}}
        for n, geometry, floors in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": members}))
    return path


def load(database: Database, one: Layer, path: Path) -> LoadReport:
    with database.writing() as connection:
        sync(connection, Catalogue((one,), {"parcels": "1"}))
    return load_file(database, one, path, LoadOptions(who="tests", source="tests"))


def rows(database: Database, columns: str) -> list[tuple]:
    with database.reading() as connection:
        found = connection.execute(text(f"SELECT {columns} FROM layer.parcels ORDER BY number"))
        return [tuple(row) for row in found]


def polygon(west: float, south: float) -> dict:
    return {"type": "Polygon", "coordinates": square(west, south)}


def test_a_polygon_counts_in_the_commune_where_it_lies_and_in_no_hex(toy_province, tmp_path):
    path = write(tmp_path, ("1", polygon(104.05, 22.05), "2"), ("2", polygon(104.25, 22.05), "1"))
    report = load(toy_province, layer("polygon"), path)
    assert report.added == 2
    assert rows(toy_province, "GeometryType(geom), commune, h3") == [
        ("MULTIPOLYGON", "00001", None),
        ("MULTIPOLYGON", "00007", None),
    ]


def test_a_line_is_stored_as_it_is_in_another_crs(toy_province, tmp_path):
    line = {"type": "LineString", "coordinates": [[104.05, 22.05], [104.06, 22.06]]}
    report = load(toy_province, layer("line"), write(tmp_path, ("1", line, "0")))
    assert report.added == 1
    assert rows(toy_province, "ST_AsText(geom)") == [
        ("MULTILINESTRING((104.05 22.05,104.06 22.06))",)
    ]


def test_a_reference_layer_keeps_what_lies_outside(toy_province, tmp_path):
    path = write(tmp_path, ("1", polygon(106.0, 21.0), "2"))
    report = load(toy_province, layer("polygon", placed=False), path)
    assert (report.added, report.outside) == (1, 0)


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        (None, "no_geometry"),
        ({"type": "Point", "coordinates": [104.05, 22.05]}, "bad_geometry"),
        (
            {
                "type": "Polygon",
                "coordinates": [
                    [[104.05, 22.05], [104.06, 22.06], [104.06, 22.05], [104.05, 22.06],
                     [104.05, 22.05]]
                ],
            },
            "bad_geometry",
        ),
    ],
)  # fmt: skip
def test_a_wrong_geometry_waits_with_its_reason(toy_province, tmp_path, geometry, reason):
    path = write(tmp_path, ("1", polygon(104.05, 22.05), "2"), ("2", geometry, "1"))
    report = load(toy_province, layer("polygon"), path)
    assert (report.added, report.reasons) == (1, {reason: 1})


def test_a_replayed_record_keeps_its_geometry(toy_province, tmp_path):
    path = write(tmp_path, ("1", polygon(104.05, 22.05), "two"))
    load(toy_province, layer("polygon"), path)
    with toy_province.writing() as connection:
        (waiting,) = list_waiting(connection, layers=["parcels"])
        fix(connection, waiting.id, {"floors": "2"}, "officer")
        (tried,) = replay(connection, layer("polygon"), actor="officer")
    assert tried.report.added == 1
    assert rows(toy_province, "commune, floors") == [("00001", 2)]


def test_a_table_without_geometry_is_refused(toy_province, tmp_path):
    path = tmp_path / "parcels.csv"
    path.write_text("number,floors\n1,2\n")
    with pytest.raises(BadFile, match="no geometry"):
        load(toy_province, layer("polygon"), path)


def test_points_of_a_file_in_the_system_of_the_province_are_moved(toy_province, tmp_path):
    east, north = Transformer.from_crs(4326, 9208, always_xy=True).transform(104.05, 22.05)
    path = write(tmp_path, ("1", {"type": "Point", "coordinates": [east, north]}, "0"))
    declared = json.loads(path.read_text())
    declared["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::9208"}}
    path.write_text(json.dumps(declared))
    load(toy_province, layer("point"), path)
    ((lon, lat, commune),) = rows(toy_province, "ST_X(geom), ST_Y(geom), commune")
    assert (lon, lat) == pytest.approx((104.05, 22.05), abs=1e-7)
    assert commune == "00001"
