"""A source that gives another unit than the layer declares is converted, and checked before."""

import pytest
from pydantic import ValidationError

from gis.intake.nested import nested_table
from layers.definition.checks import findings
from layers.ingest.mapped_columns import with_mapped_columns
from tests.source_layers import feed_layer


def layer_in(unit: str | None, field: dict[str, object] | None = None, **change: object):
    fields = {"depth": {"type": "number", **({"unit": unit} if unit else {}), **(field or {})}}
    mapped = {"depth": {"from": "raw", "unit": {"from": "cm", "to": "mm", **change}}}
    return feed_layer(fields=fields, map=mapped)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (layer_in("mm"), None),
        (layer_in("m"), "`to: mm`, but the field `depth` is number in m"),
        (layer_in(None), "the field `depth` is number in no unit"),
        (layer_in("mm", {"type": "text"}), "the field `depth` is text in mm"),
        (layer_in("ha", **{"from": "km²", "to": "har"}), None),
    ],
)
def test_the_unit_of_the_column_is_that_of_the_field(layer, words):
    found = [
        text
        for where, text in findings(layer)
        if where[-2:] == ("depth", "unit") and where[0] == "source"
    ]
    assert len(found) == (words is not None)
    assert all(words in text for text in found)


def test_units_of_different_kinds_are_a_fault_of_the_file():
    with pytest.raises(ValidationError, match="`cm` is a length and `hPa` a pressure"):
        layer_in("mm", to="hPa")


def test_cells_are_converted_and_what_is_no_number_is_not_taken_for_one():
    layer = layer_in("mm")
    records = [{"raw": each} for each in ("1.5", "2,5", "1,234", "")]
    table = nested_table("t", records, ["raw"])
    made = with_mapped_columns(layer.source, table)
    assert made["depth"] == ["15", "25", "1,234 cm", ""]
