"""Text of any encoding is streamed: as the whole file is read, in the memory of a chunk."""

import gzip
import random
import tracemalloc
import unicodedata

import ftfy.bad_codecs  # noqa: F401  registers sloppy-windows-1252
import pytest

from gis.errors import AmbiguousInput, BadFile
from gis.intake import chunks, conversions
from gis.intake.chunks import joined, open_chunks
from gis.intake.tables import read_table
from tests.unit.intake.legacy import to_tcvn3, to_viscii, to_vni, to_windows_1258

WORDS = (
    "Bát Xát Mường Khương Trịnh Tường Y Tý Sa Pa Nghĩa Đô Phong Hải Cốc Lầu ngã ba cầu treo sạt lở "
    "ổ gà đường liên xã thôn Bản Qua giữa chợ huyện Bảo Yên tổ dân phố số ruộng bậc thang ướt nặng"
).split()


def misread(text: str) -> bytes:
    return text.encode().decode("sloppy-windows-1252").encode()


ENCODERS = {
    "utf-8": str.encode,
    "utf-8, decomposed": lambda text: unicodedata.normalize("NFD", text).encode(),
    "utf-8 with its mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16, big end first": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "utf-16 without its mark": lambda text: text.encode("utf-16-le"),
    "tcvn3": to_tcvn3,
    "vni": to_vni,
    "viscii": to_viscii,
    "windows-1258": to_windows_1258,
    "tcvn3 saved as utf-8": lambda text: to_tcvn3(text).decode("iso-8859-1").encode(),
    "vni saved as utf-16": lambda text: to_vni(text).decode("iso-8859-1").encode("utf-16"),
    "utf-8 read as another": misread,
    "signs of windows-1252": lambda text: b"id,ten,m\xb2\n" + b"1,ha,2\xb0\n" * 90,
}


def register(rows: int, seed: int = 3) -> str:
    """A register whose columns are names, notes in one case or another, and plain codes."""
    chance = random.Random(seed)
    lines = ["id,Tên,Ghi chú,mã"]
    for n in range(rows):
        name, note = (" ".join(chance.choices(WORDS, k=k)) for k in (2, chance.randrange(5)))
        end = "?" if n % 50 == 49 else ""
        lines.append(f'{n},{name.title()},"{note}{end}",K{n}')
    return "\n".join(lines) + "\n"


def read(path, encoding=None):
    """Columns, cells, lines, faults and notes, or the question."""
    try:
        whole = read_table(path, encoding=encoding)
        expected = (whole.columns, whole.cells, [*whole.lines], whole.faults, whole.notes)
    except (AmbiguousInput, BadFile) as error:
        expected = (type(error), str(error))
    try:
        opened = open_chunks(path, encoding=encoding, rows=70)
        assert opened.whole is None
        parts = list(opened)
        together = joined(parts)
        cells, lines = together.cells, [*together.lines]
        assert all(len(part) <= 70 for part in parts)
        streamed = (together.columns, cells, lines, together.faults, parts[0].notes)
    except (AmbiguousInput, BadFile) as error:
        streamed = (type(error), str(error))
    return expected, streamed


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ENCODERS)
def test_text_of_any_encoding_is_streamed_as_the_whole_file_is_read(
    tmp_path, monkeypatch, name, packed
):
    monkeypatch.setattr(chunks, "STREAMED_FROM_BYTES", 0)
    monkeypatch.setattr(chunks, "ROWS", 90)
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    content = ENCODERS[name](register(300))
    path.write_bytes(gzip.compress(content) if packed else content)
    expected, streamed = read(path)
    assert streamed == expected
    assert isinstance(expected[0], tuple), "is read without a question"
    if name != "signs of windows-1252":
        names = [line.split(",")[1] for line in register(300).splitlines()[1:]]
        assert expected[1][expected[0][1]] == names


OLD = ["Bát Xát", "Mường Khương", "Trịnh Tường", "Nghĩa Đô"]
COLUMNS = {
    "old beside new": (OLD * 40, [to_tcvn3(each) for each in OLD] * 40),
    "old among new": ([*OLD * 60, *(to_tcvn3(each) for each in OLD)],),
    "two old ones": ([to_vni(each) for each in OLD] * 40, [to_tcvn3(each) for each in OLD] * 40),
    "one that is too short": ([to_tcvn3(each) for each in OLD] * 40, [to_tcvn3("Hà")] * 160),
    "too short": ([to_tcvn3("Hà")] * 160,),
    "a rare misread one": ([*OLD * 60, misread("Lào Cai"), *OLD * 30],),
    "lost letters": ([*OLD * 60, "Qu·?£ng Ninh"],),
    "cut letters": ([*["Bát Xát".encode()] * 99, "Bát Xá".encode()[:-1], to_tcvn3("Hà")],),
}


@pytest.mark.parametrize("encoding", [None, "tcvn3", "windows-1258", "utf-8"])
@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_several_encodings_are_streamed_with_the_same_answers_and_questions(
    tmp_path, monkeypatch, name, encoding
):
    monkeypatch.setattr(chunks, "STREAMED_FROM_BYTES", 0)
    monkeypatch.setattr(chunks, "ROWS", 50)
    columns = [
        [value if isinstance(value, bytes) else value.encode() for value in column]
        for column in COLUMNS[name]
    ]
    header = ",".join(["id", *"abc"[: len(columns)]]).encode()
    rows = [b",".join([str(n).encode(), *row]) for n, row in enumerate(zip(*columns, strict=True))]
    path = tmp_path / "a.csv"
    path.write_bytes(b"\n".join([header, *rows]) + b"\n")
    expected, streamed = read(path, encoding)
    assert streamed == expected


@pytest.mark.parametrize("name", ["utf-16", "windows-1258", "tcvn3"])
def test_ten_times_the_file_takes_the_same_memory(tmp_path, monkeypatch, name):
    monkeypatch.setattr(chunks, "STREAMED_FROM_BYTES", 0)
    monkeypatch.setattr(chunks, "ROWS", 100)
    monkeypatch.setattr(chunks, "_HEAD_CHARACTERS", 2**12)
    monkeypatch.setattr(chunks, "_BLOCK_CHARACTERS", 2**12)
    monkeypatch.setattr(conversions, "_KEPT", 50)
    monkeypatch.setattr(conversions, "_KEPT_RARE", 20)
    peaks = []
    for rows in (300, 300, 3_000):  # the first fills caches
        path = tmp_path / f"{rows}.csv"
        path.write_bytes(ENCODERS[name](register(rows)))
        tracemalloc.start()
        read = sum(map(len, open_chunks(path, rows=100)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert read == rows
    assert peaks[2] < 1.5 * peaks[1]
