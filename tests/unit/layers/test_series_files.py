"""Layer files of measurements: what contradicts itself is told with its line and the right word."""

import re
from pathlib import Path

import pytest

from gis.errors import BadLayerFile
from layers.definition.catalogue import read_layer
from layers.definition.model import Layer

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "measurements.md"
(SOUND,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
LEVEL = (
    "{kind: level, id: bao_dong, title: {vi: Mực nước, en: Water level}, field: muc_nuoc, of: ten"
)
COUNT = "{kind: count, at_least: 1, hours: 1, id: x, title: {vi: x, en: x}"
TIERS = "\n       tiers: [watch, alert]"
FAULTS = {
    "a misspelt word": ("every: 1h, agg", "evry: 1h, agg", "did you mean `every`?"),
    "no quantity of this name": ("    mua: {every", "    mu: {every", "there is no field `mu`"),
    "a quantity of another type": ("mua: {type: number, unit: mm, format: decimal_point,",
                                   "mua: {type: text,", "a quantity is a number"),
    "a quantity that is required": ("mua: {type: number,", "mua: {type: number, required: true,",
                                    "a record of a station alone has no value"),
    "a threshold of no field": ("at: bd1", "at: bd4", "there is no field `bd4`"),
    "a threshold that is measured": ("at: bd1", "at: mua", "is a number of the station"),
    "thresholds that fall": ("at: bd1", "at: 5", "`thresholds` must rise"),
    "hysteresis alone": ("aggregate: sum,", "aggregate: sum, hysteresis: 1,", "needs `thresh"),
    "a remark of no field": ('day_starts: "19:00"', "remarks: [y]", "there is no field `y`"),
    "a remark that is measured": ('day_starts: "19:00"', "remarks: [mua]", "is measured"),
    "an empty range": ("at_least: 0, at_most: 300", "at_least: 300, at_most: 0", "must be below"),
    "a step that no day holds": ("every: 1h, agg", "every: 7h, agg", "does not divide a day"),
    "no time": ('  time: {column: luc, format: "%d/%m/%Y %H:%M"}\n', "", "needs `source.time`"),
    "an hour that is none": ('day_starts: "19:00"', 'day_starts: "24:00"', "write an hour"),
    "a step without a unit": ("every: 1h, agg", "every: 60, agg", "must be a text"),
    "a step of an unknown unit": ("every: 1h, agg", "every: 1w, agg", "write a length of time"),
    "a personal field": ("ten: {type: text,", "ten: {type: text, personal: true,",
                         "has no personal fields"),
    "a field that the service fills": ("  ten: {type: text,", "  mua_quality: {type: text,",
                                       "field names taken by `series`"),
    "hotspots of stations": ("tiles:", "hotspots: {window_days: 7}\ntiles:", "rows of `series`"),
    "a rule that counts rows": (LEVEL, COUNT, "level, sensor, rain"),
    "a level without thresholds": ("field: muc_nuoc, of", "field: mua, of", "with thresholds of"),
    "columns of no measurement": ("  key: tram", "  measured: {quantity: q}\n  key: tram",
                                  "`quantity` and `value` go together"),
    "lines": ("geometry: point", "geometry: line", "stations are points"),
}  # fmt: skip


def layer_of(folder: Path, text: str) -> Layer:
    path = folder / "muc_nuoc.yaml"
    path.write_text(text, encoding="utf-8")
    return read_layer(path)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told(tmp_path, name):
    before, after, words = FAULTS[name]
    assert before in SOUND
    with pytest.raises(BadLayerFile) as refused:
        layer_of(tmp_path, SOUND.replace(before, after).replace(TIERS, ""))
    assert words in str(refused.value)


def test_fields_that_the_service_fills_follow_from_the_section_and_come_once(tmp_path):
    layer = layer_of(tmp_path, SOUND)
    derived = set(layer.fields) - set(layer.record_fields)
    assert derived == {
        "mua_quality", "mua_at", "muc_nuoc_quality", "muc_nuoc_at", "muc_nuoc_alarm",
        "muc_nuoc_trend",
    }  # fmt: skip
    assert layer.measured_fields == derived | {"mua", "muc_nuoc"}
    assert Layer.model_validate(layer.model_dump(mode="json")) == layer


@pytest.mark.parametrize(
    ("words", "ends"),
    [("aggregate: sum", True), ("aggregate: mean", False), ("aggregate: sum, stamp: start", False),
     ("aggregate: max, stamp: end", True)],
)  # fmt: skip
def test_sums_are_stamped_with_the_end_of_their_time_unless_the_file_says_otherwise(
    tmp_path, words, ends
):
    layer = layer_of(tmp_path, SOUND.replace("aggregate: sum", words))
    assert layer.series.quantities["mua"].stamps_end is ends
