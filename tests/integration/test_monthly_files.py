"""Files that an office sends each month: none overwrites or doubles another in silence."""

from pathlib import Path

import pytest

from gis.database.engine import Database
from gis.errors import AmbiguousInput
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, load_file
from tests.intake_layers import FILES, MZ, layer_of, load, publish, rows, waiting, write_csv

POLES = layer_of(
    {"key": "k", "coordinates": {"x": "lon", "y": "lat"}, "outside": "keep"}, {"name": "text"}
)


@pytest.mark.parametrize(
    ("layer", "first", "second"),
    [
        (MZ, "bc.thang9.csv", "bc.thang10.csv"),
        (MZ, "exp.csv", "exp (1).csv"),
        (POLES, "title.csv", "title_2026_12.csv"),
    ],
)
def test_a_file_of_another_name_is_asked_whose_records_it_has(
    lao_cai: Database, layer: Layer, first: str, second: str
) -> None:
    publish(lao_cai, layer)
    before = load_file(lao_cai, layer, FILES / first, LoadOptions("tests"))
    kept = rows(lao_cai, "*", "id")
    with pytest.raises(AmbiguousInput, match=f"--source '{before.source}'"):
        load_file(lao_cai, layer, FILES / second, LoadOptions("tests"))
    assert rows(lao_cai, "*", "id") == kept and before.added == len(kept) > 0
    same = load_file(lao_cai, layer, FILES / second, LoadOptions("tests", before.source))
    assert same.added + same.updated + same.unchanged > 0
    assert len(rows(lao_cai, "id")) == len(kept) + same.added


def test_a_newer_version_that_lies_outside_makes_the_row_stale(
    lao_cai: Database, tmp_path: Path
) -> None:
    names = ("id", "lon", "lat", "address", "commune", "when", "val", "n", "note")
    first = ("A", 103.9, 22.45, "", "", "2025-09-01", 1, 1, "first, inside")
    load(lao_cai, MZ, write_csv(tmp_path / "first.csv", names, first))
    report = load(lao_cai, MZ, FILES / "hist.csv")
    assert report.states == {"placed": 0, "stale": 1}
    (record,) = waiting(lao_cai)
    assert (record.state, record.reason) == ("stale", "outside")
    assert rows(lao_cai, "note") == [("first, inside",)]
