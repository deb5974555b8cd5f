"""QGIS edits a layer of a department, and knows of each edit that it was stored."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.qgis_program import has_qgis, qgis_version, run_in_qgis
from tests.acceptance.service import Service, service

_EDITOR = Path(__file__).parent / "qgis_editor.py"
_FIRST_THAT_EDITS = 33000  # QGIS 3.30 was the first to write by OGC API - Features Part 4

pytestmark = [
    pytest.mark.skipif(not has_qgis(), reason="QGIS is missing: apt install qgis python3-qgis"),
    pytest.mark.skipif(
        0 < qgis_version() < _FIRST_THAT_EDITS,
        reason="this QGIS only reads OGC API - Features; 3.30 and later also write",
    ),
]


@pytest.fixture(scope="module")
def running(home: Path, grid: str) -> Iterator[Service]:
    """`gis up` without the demo."""
    with service(home / "editing", GIS_BOUNDARIES=grid, GIS_DEMO="false") as made:
        made.start()
        yield made


def test_an_officer_adds_changes_and_deletes_a_record(
    running: Service, operator_key: str, tmp_path: Path
) -> None:
    # QGIS learns the fields of a layer from its rows.
    first = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [104.0, 22.0]}}
    added = httpx.post(
        f"{running.url}/ogc/collections/field_incidents/items",
        json={**first, "properties": {"kind": "road_closed", "note": "Km 9"}},
        headers={"X-API-Key": operator_key, "Content-Type": "application/geo+json"},
        timeout=30,
    )
    assert added.status_code == 201, added.text
    result = run_in_qgis(
        _EDITOR, tmp_path, f"{running.url}/ogc", "field_incidents", operator_key, "Sạt lở Km 12"
    )
    assert result["valid"]
    assert result["can_add"]
    for act in ("added", "changed", "deleted"):
        assert result[act] == {"stored": True, "errors": result[act]["errors"]}, result[act]
    assert result["found"]
    assert result["gone"]
