"""Hexes and style that a draft proposes, by the number, the spread and the values of records."""

import random

import pytest
import shapely
import yaml

from gis.intake import chunks
from gis.intake.chunks import open_chunks
from layers.definition.catalogue import read_layer
from layers.definition.drafts import draft_layer

WEST, SOUTH = 103.9, 22.3


def drafted(folder, rows, header="ma,lon,lat", rows_a_chunk=None):
    path = folder / "a.csv"
    path.write_text(header + "\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    opened = open_chunks(path) if rows_a_chunk is None else open_chunks(path, rows=rows_a_chunk)
    assert (opened.whole is None) == (rows_a_chunk is not None)
    name, text = draft_layer(opened)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    read = read_layer(folder / f"{name}.yaml")  # what is drafted passes the check of layer files
    return yaml.safe_load(text), read


def spread(count, extent, decimals=5):
    """Points evenly at random over a square of so many degrees."""
    chance = random.Random(1)
    return [
        f"k{n},{WEST + extent * chance.random():.{decimals}f},"
        f"{SOUTH + extent * chance.random():.{decimals}f}"
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("rows", "finest"),
    [
        (spread(3, 0.5), 7),  # few: hexes finer than a commune are no use, coarser ones neither
        (spread(2_000, 0.5), 7),  # 3,000 km²: 600 hexes of 5 km², 4,000 of 0.7 km²
        (spread(4_000, 0.2), 8),  # 460 km²: 630 hexes of 0.7 km², 4,400 of 0.1 km²
        (spread(4_000, 0.08), 9),  # 74 km²: 700 hexes of 0.1 km², 4,900 of 0.015 km²
        (spread(4_000, 0.02), 10),  # 4.6 km²
        (spread(4_000, 0.06, decimals=2), 8),  # 36 places: finer hexes tell no more apart
    ],
)
def test_the_finest_hex_holds_two_records_or_more_and_tells_places_apart(tmp_path, rows, finest):
    words, layer = drafted(tmp_path, rows)
    assert words["hexes"]["resolutions"] == list(range(5, finest + 1))
    assert layer.hexes.resolutions == tuple(words["hexes"]["resolutions"])


def test_the_order_and_the_chunks_of_a_file_change_no_resolution_or_style(tmp_path, monkeypatch):
    rows = [f"{row},{'abc'[n % 3]},{n % 7}.5" for n, row in enumerate(spread(500, 0.05))]
    header = "ma,lon,lat,loai,so"
    whole, _ = drafted(tmp_path, rows, header)
    turned, _ = drafted(tmp_path, rows[::-1], header)
    monkeypatch.setattr(chunks, "STREAMED_FROM_BYTES", 0)
    streamed, _ = drafted(tmp_path, rows, header, rows_a_chunk=37)
    assert whole["hexes"] == turned["hexes"] == streamed["hexes"]
    assert whole["style"] == turned["style"] == streamed["style"]


def squares(size):
    boxes = (
        shapely.box(WEST + n / 10, SOUTH, WEST + n / 10 + size, SOUTH + size) for n in range(3)
    )
    return [f'k{n},"{box.wkt}"' for n, box in enumerate(boxes)]


@pytest.mark.parametrize(("size", "finest"), [(0.0005, 10), (0.002, 9), (0.005, 8), (0.05, 7)])
def test_hexes_of_areas_are_about_as_large_as_they_are(tmp_path, size, finest):
    words, layer = drafted(tmp_path, squares(size), "ma,hinh")
    assert layer.geometry == "polygon"
    assert words["hexes"]["resolutions"][-1] == finest


def test_a_file_of_addresses_is_counted_down_to_hexes_that_they_can_reach(tmp_path):
    words, _ = drafted(tmp_path, ["a,Xã Tả Van", "b,Xã Tả Van"], "ma,xã")
    assert words["hexes"]["resolutions"] == [5, 6, 7]


def test_a_table_without_places_has_neither_hexes_nor_style(tmp_path):
    words, _ = drafted(tmp_path, ["a,1.5", "b,2.5"], "ma,so")
    assert not {"hexes", "style", "tiles"} & words.keys()


def themed(folder, columns):
    """A draft of records with such values by column, each somewhere."""
    count = len(next(iter(columns.values())))
    rows = (
        ",".join([f"k{n}", f"{WEST + n / 100:.2f}", f"{SOUTH}", *(v[n] for v in columns.values())])
        for n in range(count)
    )
    return drafted(folder, rows, ",".join(["ma", "lon", "lat", *columns]))


KINDS = ["Lớn", "Vừa", "Lớn", "Nhỏ", "Lớn", "Vừa"]


@pytest.mark.parametrize(
    ("columns", "category", "values"),
    [
        ({"mức độ": KINDS}, "muc_do", ["Lớn", "Vừa", "Nhỏ"]),  # the most frequent first
        ({"ghi chú": ["a"] * 3 + ["b"] * 3, "loại": ["x"] * 2 + ["y"] * 4}, "loai", ["y", "x"]),
        ({"đã xong": ["có", "không"] * 3}, "da_xong", [True, False]),
        ({"cấp": ["1", "2"] * 3}, "cap", [1, 2]),
        ({"số": ["1", "2"] * 3}, None, None),  # counts something
        ({"mã vùng": ["01", "02"] * 3}, None, None),  # codes
        ({"tên": [*"abcdef"]}, None, None),  # each its own
        ({"loại": ["a"] * 6}, None, None),  # tells nothing apart
        ({"liên hệ": ["0912345678", "0912345679"] * 3}, None, None),  # personal
        ({"loại": ["xem a@b.vn", "b"] + ["b"] * 4}, None, None),  # holds an address of somebody
        ({"xã": ["Xã Tả Van", "Xã Bát Xát"] * 3}, None, None),  # is the place
    ],
)
def test_kinds_of_records_are_counted_apart_and_coloured(tmp_path, columns, category, values):
    words, layer = themed(tmp_path, columns)
    assert layer.hexes.category == category
    if values is None:
        assert "classes" not in words["style"]
        return
    assert words["style"]["field"] == category
    classes = words["style"]["classes"]
    assert [each["value"] for each in classes] == values
    assert len({each["colour"] for each in classes}) == len(values)


@pytest.mark.parametrize(
    ("columns", "measure", "bounds"),
    [
        ({"sâu (m)": [*"123456"]}, "sau_m", [0, 2, 3, 4]),
        ({"điểm": ["1.5"] * 6, "sâu (m)": [*"123456"]}, "sau_m", [0, 2, 3, 4]),  # has a unit
        ({"độ cao (m)": ["1234.5", "310.5", "55.2", "820.1"]}, "do_cao_m", [0, 55, 310, 820]),
        ({"lệch": ["-12.34", "-1.5", "0.25", "3.5"]}, "lech", [-13, -1.5, 0.25]),
        ({"điểm": ["1.5"] * 6}, "diem", None),  # nothing to class
        ({"năm": ["2019", "2020", "2021"]}, None, None),  # is no measure
        ({"loại": KINDS, "sâu (m)": [*"123456"]}, "sau_m", None),  # kinds are coloured first
    ],
)
def test_a_measure_has_a_mean_by_hex_and_classes_that_many_fall_into(
    tmp_path, columns, measure, bounds
):
    words, layer = themed(tmp_path, columns)
    assert layer.hexes.measure == measure
    given = [each.get("at_least") for each in words["style"].get("classes", ())]
    assert given == (bounds or given)
    assert bounds is not None or None in given or not given
