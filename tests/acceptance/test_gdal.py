"""GDAL as a client: it lists the layers and reads and copies them whole."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, load_file
from layers.storage.sync import sync
from tests.integration.ogc_app import client_of
from tests.integration.ogc_layers import INCIDENTS, TRAPS, add_five, make_layer

pytestmark = pytest.mark.skipif(
    shutil.which("ogrinfo") is None, reason="GDAL's programs are missing: apt install gdal-bin"
)

MANY = 2_500  # three pages


@pytest.fixture
def ogc(database: Database) -> Iterator[str]:
    make_layer(database)
    add_five(database)
    with database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO layer.incidents (id, geom, kind) SELECT i,"
                " ST_SetSRID(ST_MakePoint(104 + i / 1e5, 22), 4326), 'road'"
                " FROM generate_series(6, :last) i"
            ),
            {"last": MANY},
        )
    with client_of(database, [INCIDENTS]) as client:
        yield f"{client.base_url}/ogc".replace("//ogc", "/ogc")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_ogrinfo_lists_the_layers_and_counts_them(ogc: str) -> None:
    assert "incidents" in run("ogrinfo", f"OAPIF:{ogc}")
    summary = run("ogrinfo", "-so", f"OAPIF:{ogc}", "incidents")
    assert f"Feature Count: {MANY}" in summary
    assert "Geometry: Point" in summary
    assert "depth_m: Real" in summary and "valid_at: DateTime" in summary


def test_ogr2ogr_copies_every_row_through_all_pages(ogc: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.geojson"
    options = ("-preserve_fid", "-oo", "PAGE_SIZE=1000")
    run("ogr2ogr", "-f", "GeoJSON", *options, str(target), f"OAPIF:{ogc}", "incidents")
    rows = json.loads(target.read_text(encoding="utf-8"))["features"]
    assert len(rows) == MANY and len({row["id"] for row in rows}) == MANY
    assert rows[0]["properties"]["note"] == TRAPS
    assert rows[0]["geometry"]["coordinates"] == pytest.approx([103.9, 22.3])


def test_what_ogr2ogr_writes_can_be_loaded_again(
    toy_province: Database,
    tmp_path: Path,
) -> None:
    """Out of one layer through the service, and into another by its file."""
    told = INCIDENTS.model_dump(mode="json") | {"id": "copies"}
    told["source"] = {"connector": "file", "key": "key", "coordinates": {"x": "X", "y": "Y"}}
    told["fields"] = {name: told["fields"][name] for name in ("kind", "note", "severity")}
    copies = Layer.model_validate(told)
    with toy_province.writing() as connection:
        sync(connection, Catalogue((INCIDENTS, copies)))
        connection.execute(
            text(
                "INSERT INTO layer.incidents (geom, kind, note, severity, source, source_key)"
                " SELECT ST_PointOnSurface(geom), 'flood', :note, 3, 'a', code FROM layer.communes"
            ),
            {"note": TRAPS},
        )
    with client_of(toy_province, [INCIDENTS]) as client:
        path = tmp_path / "copies.csv"
        chosen = "SELECT FID AS key, kind, note, severity FROM incidents"
        address = f"OAPIF:{client.base_url.join('/ogc')}"
        run("ogr2ogr", "-f", "CSV", "-lco", "GEOMETRY=AS_XY", "-sql", chosen, str(path), address)
    report = load_file(toy_province, copies, path, LoadOptions(who="test"))
    assert report.added == 3 and report.quarantined == 0
    with toy_province.reading() as connection:
        rows = connection.execute(
            text(
                "SELECT c.note, c.severity, c.commune, ST_Distance(a.geom, c.geom) AS moved"
                " FROM layer.copies c JOIN layer.incidents a ON a.commune IS NULL"
                " AND a.source_key = c.commune"
            )
        ).all()
    assert len(rows) == 3
    assert all(row.note == TRAPS and row.severity == 3 and row.moved < 1e-7 for row in rows)
