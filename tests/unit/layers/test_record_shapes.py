"""Shapes of records that are not placed, where their coordinates put them."""

from dataclasses import fields

import pytest
import shapely

from layers.ingest.quarantine import QuarantinedRecord
from layers.ingest.record_files import shape_of
from tests.intake_layers import MZ

EMPTY = dict.fromkeys(field.name for field in fields(QuarantinedRecord))


@pytest.mark.parametrize(
    ("lon", "lat"),
    [
        ("103.8440", "22.3360"),
        ("103.844", "22.336"),  # which may be thousands, were they no degrees
        ("103,844", "22,336"),
        ("103°50'38.4\"E", "22°20'09.6\"N"),
    ],
)
def test_a_record_lies_where_its_coordinates_are_however_they_are_written(lon, lat):
    record = QuarantinedRecord(**EMPTY | {"raw": {"lon": lon, "lat": lat}, "answers": {}})
    shape = shape_of(MZ, record)
    assert shape is not None
    assert shapely.get_coordinates(shape)[0] == pytest.approx([103.844, 22.336])


@pytest.mark.parametrize(("lon", "lat"), [("", "22.336"), ("103.844", "north"), ("", "")])
def test_a_record_without_coordinates_has_no_shape(lon, lat):
    record = QuarantinedRecord(**EMPTY | {"raw": {"lon": lon, "lat": lat}, "answers": {}})
    assert shape_of(MZ, record) is None
