"""QGIS edits a layer of a department, and knows of each edit that it was stored."""

from pathlib import Path

import pytest

from tests.acceptance.qgis_program import has_qgis, run_in_qgis
from tests.acceptance.service import Service

_EDITOR = Path(__file__).parent / "qgis_editor.py"
_FIRST_THAT_EDITS = 33000  # QGIS 3.30 was the first to write by OGC API - Features Part 4

pytestmark = pytest.mark.skipif(
    not has_qgis(), reason="QGIS is missing: apt install qgis python3-qgis"
)


def test_an_officer_adds_changes_and_deletes_a_record(
    running: Service, operator_key: str, tmp_path: Path
) -> None:
    result = run_in_qgis(
        _EDITOR, tmp_path, f"{running.url}/ogc", "field_incidents", operator_key, "Sạt lở Km 12"
    )
    assert result["valid"]
    if result["version"] < _FIRST_THAT_EDITS:
        pytest.skip("this QGIS only reads OGC API - Features; 3.30 and later also write")
    assert result["can_add"]
    for act in ("added", "changed", "deleted"):
        assert result[act] == {"stored": True, "errors": result[act]["errors"]}, result[act]
    assert result["found"]
    assert result["gone"]
