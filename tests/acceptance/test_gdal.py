"""GDAL as a client: it lists the layers and reads and copies them whole."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gis.database.engine import Database
from tests.integration.conftest import database, migrated, postgres, url  # noqa: F401
from tests.integration.ogc_app import client_of
from tests.integration.ogc_layers import INCIDENTS, TRAPS, add_five, make_layer

pytestmark = pytest.mark.skipif(
    shutil.which("ogrinfo") is None, reason="GDAL's programs are missing: apt install gdal-bin"
)

MANY = 2_500  # three pages


@pytest.fixture
def ogc(database: Database) -> Iterator[str]:  # noqa: F811
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
