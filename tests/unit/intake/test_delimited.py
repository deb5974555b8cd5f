"""Blocks of delimited lines are read at once; they are the records that are read one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from gis.intake.chunks import open_chunks
from gis.intake.delimited import DelimitedLines, NumberedLines
from gis.intake.layout import parse_layout
from gis.intake.tables import read_table

FIELD = st.one_of(
    st.text('aố" ,;|\t\\\x85\u2028\ufeff\0', max_size=6),
    st.sampled_from(["a", "", '"a"', '"a, b"', '"a ""b"""', '"a" b', 'a "b"', '"', '""']),
)


def one_by_one(lines: list[str], delimiter: str, width: int):
    reader = DelimitedLines(NumberedLines(lines, 2), delimiter, width)
    while (record := reader.take()) is not None:
        if any(record[1]):
            yield record


def at_once(lines: list[str], delimiter: str, width: int, rows: int):
    reader = DelimitedLines(NumberedLines(lines, 2), delimiter, width)
    for block in reader.blocks(rows):
        for row, record in enumerate(zip(*block.fields, strict=True)):
            yield block.lines[row], list(record), block.faults.get(row)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(FIELD, min_size=width, max_size=width), max_size=12)
    ),
    st.sampled_from([",", ";", "\t", "|", "^", "-", "a"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 5),
)
def test_records_read_at_once_are_those_read_one_by_one(records, delimiter, end, rows):
    lines = [delimiter.join(record) + end for record in records]
    width = len(records[0]) if records else 1
    whole = list(one_by_one(lines, delimiter, width))
    assert list(at_once(lines, delimiter, width, rows)) == whole


@pytest.mark.parametrize(("delimiter", "sign"), [("~", "~"), ("tab", "\t"), ("\\t", "\t")])
def test_a_delimiter_that_is_given_divides_the_fields(tmp_path, delimiter, sign):
    """Commas in every record would else be taken for it."""
    path = tmp_path / "a.csv"
    lines = [f"k{n}{sign}thôn {n}, xã Bát Xát, Lào Cai" for n in range(9)]
    path.write_text("\n".join([f"id{sign}place", *lines]), encoding="utf-8")
    layout = parse_layout(None, None, delimiter)
    assert read_table(path, layout=layout)["place"][0] == "thôn 0, xã Bát Xát, Lào Cai"
    assert next(iter(open_chunks(path, layout=layout)))["id"][8] == "k8"


@pytest.mark.parametrize("delimiter", ["", "a", "::", '"', "\n", " ", "→"])
def test_what_divides_nothing_is_refused(delimiter):
    with pytest.raises(BadInput, match="--delimiter"):
        parse_layout(None, None, delimiter)


@pytest.mark.parametrize(
    ("written", "name"), [("Sa Pa", "Sa Pa"), ('"Sa Pa, ""phố"""', 'Sa Pa, "phố"')]
)
def test_even_lines_are_not_read_one_by_one(written, name, monkeypatch):
    monkeypatch.setattr(DelimitedLines, "take", None)
    lines = [f"k{n},{written},1\n" for n in range(5)]
    records = [(n + 2, [f"k{n}", name, "1"], None) for n in range(5)]
    assert list(at_once(lines, ",", 3, 2)) == records
