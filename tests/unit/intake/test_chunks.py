"""A file in chunks is the file: the same records, read in the same way, or the same question."""

import csv
import gzip
import hashlib
import io
import random
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import AmbiguousInput, BadFile
from gis.intake import chunks
from gis.intake.chunks import joined, open_chunks, part_of
from gis.intake.dates import deciding_dates, parse_dates
from gis.intake.layout import FOUND, Layout
from gis.intake.numbers import deciding_numbers, parse_integers, parse_numbers
from gis.intake.tables import read_table
from layers.ingest.survey import ColumnReading, ColumnType, survey

HEADER = ["id", "tên", "note"]
FIELDS = st.one_of(
    st.text("aốố,;\"'\n\r |\\-19.", max_size=8), st.sampled_from(["", "Ổ gà", "0912", "x\n\ny"])
)
RECORDS = st.lists(st.lists(FIELDS, min_size=3, max_size=3), min_size=1, max_size=40)


@given(RECORDS, st.integers(1, 7), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_streamed_text_has_the_records_of_the_whole_file(tmp_path_factory, records, rows, end, gap):
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator=end)
    writer.writerow(HEADER)
    for n, record in enumerate(records):
        writer.writerow([f"k{n}", *record[1:]])
        written.write(end if gap and n % 3 == 0 else "")
        if gap and n % 5 == 0:
            writer.writerow(["", "", ""])
    path = tmp_path_factory.mktemp("chunks") / "a.csv"
    path.write_text(written.getvalue(), encoding="utf-8", newline="")
    try:
        whole = read_table(path)
    except BadFile:
        return  # a delimiter that a field holds
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "STREAMED_FROM_BYTES", 0)
        parts = list(open_chunks(path, rows=rows))
    assert all(len(part) <= rows for part in parts)
    together = joined(parts)
    assert together.faults == whole.faults and parts[0].notes == whole.notes
    assert [line for part in parts for line in part.lines] == list(whole.lines)
    for column in (unicodedata.normalize("NFC", name) for name in HEADER):
        assert [value for part in parts for value in part[column]] == whole[column]


def test_large_text_is_streamed_in_any_encoding(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "STREAMED_FROM_BYTES", 100)
    path = tmp_path / "a.csv"
    path.write_text("id,name\n" + "1,Bát Xát\n" * 50, encoding="utf-8")
    assert open_chunks(path).whole is None
    path.write_bytes(b"id,name\n" + "1,B¸t X¸t lµ huyÖn\n".encode("latin-1") * 50)
    assert [part["name"][0] for part in open_chunks(path)] == ["Bát Xát là huyện"]
    path.write_text("id,name\n" + "1,B¸t X¸t lµ huyÖn\n" * 50, encoding="utf-8")
    assert [part["name"][0] for part in open_chunks(path)] == ["Bát Xát là huyện"]


def test_large_text_that_is_packed_is_streamed_too(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "STREAMED_FROM_BYTES", 100)
    lines = "".join(f"k{n},Bát Xát {n * 7919 % 997}\n" for n in range(300))
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_text("id,name\n" + lines, encoding="utf-8")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    found = open_chunks(packed, rows=70)
    assert found.whole is None and found.name == "a.csv.gz"
    assert found.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert joined(list(found)).cells == joined(list(open_chunks(plain, rows=70))).cells
    monkeypatch.setattr(chunks, "MAX_UNPACKED_BYTES", 1000)
    assert open_chunks(packed).whole is not None, "the reader of whole files bounds it"
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(BadFile, match="gzip"):
        open_chunks(packed)


NUMBERS = st.lists(
    st.one_of(
        st.from_regex(r"-?[0-9]{1,4}([.,][0-9]{1,4})?", fullmatch=True),
        st.sampled_from(["", " 1.234", "1.234.567,8", "x", "1e3", "−5,5", "0.123", "103.972"]),
    ),
    max_size=30,
)


def outcome(read):
    try:
        return read()
    except AmbiguousInput:
        return None


@given(NUMBERS, st.integers(1, 9), st.sampled_from([None, 180]))
def test_numbers_in_parts_are_those_of_the_column(values, size, at_most):
    deciding: list[str] = []
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    for part in parts:
        deciding = deciding_numbers([*deciding, *part], at_most=at_most)
    assert len(deciding) <= 3
    whole = outcome(lambda: parse_numbers(values, at_most=at_most))
    read = outcome(
        lambda: [parse_numbers(part, at_most=at_most, deciding=deciding) for part in parts]
    )
    assert (whole is None) == (read is None)
    if whole is not None:
        numbers = np.concatenate([part.numbers for part in read]) if read else np.array([])
        assert np.array_equal(numbers, whole.numbers, equal_nan=True)
        assert sum(len(part.faults) for part in read) == len(whole.faults)


@given(NUMBERS, st.integers(1, 9))
def test_whole_numbers_in_parts_are_those_of_the_column(values, size):
    deciding: list[str] = []
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    for part in parts:
        deciding = deciding_numbers([*deciding, *part], whole=True)
    whole = outcome(lambda: parse_integers(values).integers)
    read = outcome(
        lambda: [n for part in parts for n in parse_integers(part, deciding=deciding).integers]
    )
    assert read == whole


DATES = st.lists(
    st.one_of(
        st.from_regex(r"[0-3][0-9]/[0-1][0-9]/20[0-2][0-9]", fullmatch=True),
        st.from_regex(r"20[0-2][0-9]-[01][0-9]-[0-3][0-9]( 0[0-9]:30(\+07:00)?)?", fullmatch=True),
        st.sampled_from(["", "x", "5 tháng 3 năm 2026", "1/2/26"]),
    ),
    max_size=20,
)


@given(DATES, st.integers(1, 7), st.sampled_from([None, "%d/%m/%Y"]))
def test_dates_in_parts_are_those_of_the_column(values, size, format):
    deciding: list[str] = []
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    for part in parts:
        deciding = deciding_dates([*deciding, *part], format)
    whole = outcome(lambda: parse_dates(values, format).instants)
    read = outcome(
        lambda: [d for part in parts for d in parse_dates(part, format, deciding=deciding).instants]
    )
    assert read == whole


def test_usual_numbers_are_read_as_python_reads_them():
    random_numbers = random.Random(15)
    texts = [f"{random_numbers.uniform(-180, 180):.{n % 15 + 1}f}" for n in range(500)]
    assert parse_numbers(texts).numbers.tolist() == [float(text) for text in texts]


def test_a_survey_knows_the_last_of_repeated_keys_and_an_even_sample(tmp_path, monkeypatch):
    monkeypatch.setattr("layers.ingest.survey.SAMPLE_ROWS", 40)
    keys = [f"k{n % 90}" for n in range(100)]
    path = tmp_path / "a.csv"
    path.write_text("id,n\n" + "".join(f"{key},{n}.5\n" for n, key in enumerate(keys)))
    parts = [part_of(read_table(path), slice(start, start + 7)) for start in range(0, 100, 7)]
    reading = ColumnReading("n", ColumnType.NUMBER)
    seen = survey(parts, [reading], ("id",))
    assert seen.rows == 100
    assert dict(seen.repeats) == {n: 90 + n + 2 for n in range(10)}
    assert seen.sample["n"] == [f"{n}.5" for n in range(0, 100, 4)]
    assert seen.deciding[reading] == ["0.5"]


TITLES = ["SỞ NÔNG NGHIỆP,,", "Báo cáo tháng 9,,", "", ",,"]
TORN = ['k{n},"open,x', "k{n}", "k{n},1,2,3,4", 'k{n},"a" b,c', "k{n},\0,x", ',"",y', '"', "k{n},,"]
FOOTERS = ["Tổng cộng,,12", ",,Người lập biểu", "Nơi nhận: UBND,,", ""]


@given(
    st.integers(0, 4),
    st.lists(st.one_of(st.none(), st.sampled_from(TORN)), min_size=12, max_size=50),
    st.lists(st.sampled_from(FOOTERS), max_size=4),
    st.sampled_from([FOUND, Layout(None, 2), Layout((3, 3), 0), Layout((1, 1), None)]),
    st.integers(1, 9),
)
def test_streamed_text_with_titles_torn_lines_and_a_footer_is_that_of_the_whole_file(
    tmp_path_factory, titles, torn, footer, layout, rows
):
    records = [(line or 'k{n},"Ổ gà, ""to""",x').format(n=n) for n, line in enumerate(torn)]
    lines = [*TITLES[:titles], "id,tên,note", *records, *footer]
    path = tmp_path_factory.mktemp("chunks") / "a.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    whole, parts = (
        told(lambda: read_table(path, layout=layout)),
        told(lambda: list(streamed(path, layout, rows))),
    )
    if isinstance(whole, str) or isinstance(parts, str):
        assert whole == parts
        return
    together = joined(parts)
    assert parts[0].notes == whole.notes and together.columns == whole.columns
    assert list(together.lines) == list(whole.lines)
    assert dict(together.faults) == dict(whole.faults)
    assert together.cells == whole.cells


def told(read):
    """What is read, or why it is not."""
    try:
        return read()
    except (AmbiguousInput, BadFile) as error:
        return str(error)


def streamed(path, layout, rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "STREAMED_FROM_BYTES", 0)
        return open_chunks(path, layout=layout, rows=rows)


def test_a_large_register_with_titles_and_faults_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "STREAMED_FROM_BYTES", 100)
    path = tmp_path / "a.csv"
    path.write_text("Báo cáo,,\nid,tên,note\n" + "1,Bát Xát,\n" * 50 + '1\n2,"x,\nTổng,,50\n')
    found = open_chunks(path)
    assert found.whole is None
    (part,) = found
    assert len(part) == 52 and len(part.faults) == 2 and len(part.notes) == 2
