"""Old encodings are told apart by columns, converted whole, and told; Unicode stays."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import AmbiguousInput, BadFile, BadInput
from gis.intake.encodings import Encoding, decode_columns, decode_file
from gis.intake.syllables import is_syllable
from gis.text import nfc
from tests.unit.intake.legacy import to_tcvn3, to_viscii, to_vni, to_windows_1258

ENCODERS: dict[Encoding, Callable[[str], bytes]] = {
    Encoding.TCVN3: to_tcvn3,
    Encoding.VNI: to_vni,
    Encoding.VISCII: to_viscii,
    Encoding.WINDOWS_1258: to_windows_1258,
}
_COLUMNS = {
    "old wards": "SELECT province, ward FROM admin_units_legacy",
    "old wards, short": "SELECT province, wardShort FROM admin_units_legacy",
    "old districts": "SELECT DISTINCT province, district FROM admin_units_legacy",
    "communes": "SELECT province, ward FROM admin_units",
    "communes, short": "SELECT province, wardShort FROM admin_units",
    "provinces": "SELECT DISTINCT '', province FROM admin_units_legacy",
}


@cache
def columns_of_names() -> list[list[str]]:
    """A column of names for each province and kind of unit: 17,088 names, as a file has them."""
    package = find_spec("vietnamadminunits")
    assert package is not None and package.origin is not None
    found: dict[tuple[str, str], list[str]] = {}
    path = Path(package.origin).with_name("data") / "dataset.db"
    with closing(sqlite3.connect(path)) as connection:
        for kind, query in _COLUMNS.items():
            for province, name in connection.execute(query):
                if name:
                    found.setdefault((kind, province), []).append(nfc(name))
    return list(found.values())


def as_bytes(values: list[str], encode: Callable[[str], bytes]) -> list[str]:
    return [encode(value).decode("iso-8859-1") for value in values]


def decode(values: list[str], *, decoded: bool = False, encoding: str | None = None) -> list[str]:
    return decode_columns(["ten"], [values], decoded=decoded, encoding=encoding).cells["ten"]


def is_written_small(name: str) -> bool:
    """A word that the package itself starts with a small toned letter (`Đại áng`)."""
    return any(word[0].islower() and not word[0].isascii() for word in name.split())


@pytest.mark.parametrize("encoding", [Encoding.VNI, Encoding.VISCII, Encoding.WINDOWS_1258])
def test_every_name_of_the_country_comes_back_from_its_column(encoding: Encoding) -> None:
    for names in columns_of_names():
        assert decode(as_bytes(names, ENCODERS[encoding])) == names


def test_every_name_comes_back_from_tcvn3_with_the_capitals_that_it_cannot_write() -> None:
    for names in columns_of_names():
        read = decode(as_bytes(names, to_tcvn3))
        assert [name.lower() for name in read] == [name.lower() for name in names]
        wrong = [(n, r) for n, r in zip(names, read, strict=True) if n != r]
        assert not [pair for pair in wrong if not is_written_small(pair[0])]


@pytest.mark.parametrize("code_page", ["iso-8859-1", "sloppy-windows-1252"])
@pytest.mark.parametrize("encoding", [Encoding.TCVN3, Encoding.VNI])
def test_old_bytes_that_were_saved_as_unicode_come_back_too(
    encoding: Encoding, code_page: str
) -> None:
    for names in columns_of_names():
        shown = [ENCODERS[encoding](name).decode(code_page) for name in names]
        read = decode(shown, decoded=True)
        assert [name.lower() for name in read] == [name.lower() for name in names]


@pytest.mark.parametrize("code_page", ["iso-8859-1", "sloppy-windows-1252", "mac-roman"])
def test_mis_decoded_utf_8_comes_back(code_page: str) -> None:
    for names in columns_of_names():
        assert decode([n.encode().decode(code_page) for n in names], decoded=True) == names


def test_utf_8_that_was_mis_decoded_twice_comes_back() -> None:
    twice = "Lào Cai".encode().decode("iso-8859-1").encode().decode("iso-8859-1")
    assert decode([twice, "Sa Pa"], decoded=True) == ["Lào Cai", "Sa Pa"]


def test_a_lost_non_breaking_space_does_not_hide_the_letter_a_huyen() -> None:
    seen = ["LÃ o Cai", "HÃ  Ná»™i", "Ná»™i HÃ"]
    assert decode(seen, decoded=True) == ["Lào Cai", "Hà Nội", "Nội Hà"]


def test_no_single_correct_name_is_ever_touched() -> None:
    names = {name for names in columns_of_names() for name in names}
    for name in names:
        for value in (name, name.upper(), name.lower()):
            assert decode([value], decoded=True) == [value]


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_column_of_correct_names_is_never_touched(data: st.DataObject) -> None:
    names = data.draw(st.sampled_from(columns_of_names()))
    column = data.draw(st.lists(st.sampled_from(names), max_size=20))
    read = decode_columns(["ten"], [column], decoded=True)
    assert read.cells["ten"] == column and read.notes == ()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(st.characters(max_codepoint=126, min_codepoint=32)), max_size=20))
def test_an_ascii_column_is_never_touched(column: list[str]) -> None:
    for decoded in (True, False):
        read = decode_columns(["ten"], [column], decoded=decoded)
        assert read.cells["ten"] == column and not [n for n in read.notes if not n.lost]


@pytest.mark.parametrize(
    "text",
    ["Café Müller", "São Paulo", "25 °C, 3 m²", "«Lào Cai»", "Krông Năng", "Đắk R'lấp", "№ 5"],
)
def test_other_correct_text_is_not_touched(text: str) -> None:
    assert decode([text], decoded=True) == [text]


def test_rows_of_an_old_file_among_utf_8_are_read_by_themselves() -> None:
    new = as_bytes(["Bảo Thắng", "Văn Bàn", "Sa Pa", "Cốc San", "Bắc Hà"], str.encode)
    old = as_bytes(["Mường Khương", "Trịnh Tường"], to_tcvn3)
    read = decode_columns(["ten"], [[*new, *old]], decoded=False)
    assert read.cells["ten"][:5] == ["Bảo Thắng", "Văn Bàn", "Sa Pa", "Cốc San", "Bắc Hà"]
    assert read.cells["ten"][5:] == ["Mường Khương", "Trịnh Tường"]
    assert [(note.encoding, note.count) for note in read.notes] == [(Encoding.TCVN3, 2)]


def test_a_byte_that_the_chosen_encoding_lacks_is_reported() -> None:
    with pytest.raises(BadFile, match=r"0x90 .*is not in windows-1258"):
        decode(["H\x90"], encoding="windows-1258")


def test_each_column_has_its_own_encoding_and_its_own_note() -> None:
    old = as_bytes(["Bát Xát", "Mường Khương", "Bảo Thắng"], to_tcvn3)
    new = as_bytes(["Cốc San", "Sa Pa", "Văn Bàn"], str.encode)
    read = decode_columns(["cu", "moi"], [old, new], decoded=False)
    assert read.cells == {
        "cu": ["Bát Xát", "Mường Khương", "Bảo Thắng"],
        "moi": ["Cốc San", "Sa Pa", "Văn Bàn"],
    }
    [note] = read.notes
    assert (note.column, note.encoding, note.count) == ("cu", Encoding.TCVN3, 3)
    assert ("B¸t X¸t", "Bát Xát") in note.examples
    assert "B¸t X¸t” → “Bát Xát" in str(note)


def test_a_note_is_safe_to_print_though_old_letters_are_control_characters() -> None:
    """0x9B is Ỉ in VISCII, and starts a command to a terminal."""
    column = as_bytes(["QUẢNG NGÃI", "CHỈ HUY", "BẢO THẮNG", "x" * 200 + " lũ"], to_viscii)
    [note] = decode_columns(["ten"], [column], decoded=False).notes
    assert str(note).isprintable() and "CH\\x9b HUY” → “CHỈ HUY" in str(note)
    assert "x" * 100 not in str(note)


def test_a_mixed_column_changes_only_what_is_not_unicode_yet() -> None:
    shown = [to_tcvn3(name).decode("iso-8859-1") for name in ("Mường Hum", "Trịnh Tường")]
    assert decode([*shown, "Bản Xèo", "Tá"], decoded=True) == [
        "Mường Hum",
        "Trịnh Tường",
        "Bản Xèo",
        "Tá",
    ]


def test_names_of_columns_are_converted_too() -> None:
    header = as_bytes(["Tên xã", "Địa chỉ", "Ngày xảy ra"], to_tcvn3)
    read = decode_columns(header, [["a"], ["b"], ["c"]], decoded=False)
    assert read.columns == ("Tên xã", "Địa chỉ", "Ngày xảy ra")
    assert read.notes[0].column is None


def test_no_letter_at_the_end_of_a_value_or_name_is_lost() -> None:
    """0x1E and 0xA0 are letters in VISCII, and white space to Python."""
    names = ["BẢN LÙ", "MŨI NÕ", "QUỐC LỘ", "ĐÈO MỴ", "CẦU VÕ"]
    header = ["TÊN VÕ"]
    read = decode_columns(as_bytes(header, to_viscii), [as_bytes(names, to_viscii)], decoded=False)
    assert read.cells == {"TÊN VÕ": names}


def test_a_short_column_is_read_as_the_others_of_its_file() -> None:
    names = as_bytes(["Bát Xát", "Mường Khương", "Bảo Thắng", "Sa Pa"], to_tcvn3)
    alone = as_bytes(["Hà"], to_tcvn3)
    with pytest.raises(AmbiguousInput, match="--encoding"):
        decode(alone)
    read = decode_columns(["ten", "ho"], [names, alone * 4], decoded=False)
    assert read.cells["ho"] == ["Hà"] * 4


def test_an_answer_to_the_question_is_obeyed() -> None:
    assert decode(as_bytes(["Hà"], to_tcvn3), encoding="tcvn3") == ["Hà"]
    assert decode(as_bytes(["Hộ"], to_viscii), encoding="viscii") == ["Hộ"]


def test_an_unknown_answer_names_the_right_ones() -> None:
    with pytest.raises(BadInput, match="tcvn3, vni, viscii"):
        decode(["a"], encoding="abc")


def test_capitals_in_a_text_of_capitals_come_back() -> None:
    column = ["HUYỆN BẢO THẮNG", "THỊ XÃ SA PA", "THÀNH PHỐ LÀO CAI"]
    assert decode(as_bytes(column, to_tcvn3)) == column


def test_small_letters_in_prose_stay_small() -> None:
    column = ["Sạt lở ở đường", "Ổ gà ở quốc lộ", "cây đổ ẩm ướt"]
    assert decode(as_bytes(column, to_tcvn3))[2] == "cây đổ ẩm ướt"


def test_letters_that_the_source_lost_are_reported_and_not_invented() -> None:
    read = decode_columns(["ten"], [["Qu·?£ng Ninh", "Hà Giang"]], decoded=True)
    assert read.cells["ten"] == ["Qu·?£ng Ninh", "Hà Giang"]
    [note] = read.notes
    assert note.lost and note.count == 1


def test_a_letter_cut_by_the_width_of_a_field_is_reported() -> None:
    column = ["Cốc San", "Bảo Thắng"]
    cut = as_bytes([*column, "Mường"], str.encode)
    cut.append("Phố Lu ở".encode()[:-1].decode("iso-8859-1"))
    read = decode_columns(["ten"], [cut], decoded=False)
    assert read.cells["ten"] == [*column, "Mường", "Phố Lu \ufffd"]
    assert read.notes[0].lost


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_unicode_files_are_known_by_their_mark_or_their_bytes(encoding: str) -> None:
    text = "tên,xã\nLào Cai,Cốc San\n"
    assert decode_file(text.encode(encoding)) == (text, True)


def test_nearly_all_names_of_the_country_are_syllables() -> None:
    words = {w for names in columns_of_names() for name in names for w in name.split()}
    words = {word for word in words if word.isalpha() and not word.isascii()}
    assert sum(map(is_syllable, words)) / len(words) > 0.95


@pytest.mark.parametrize("word", ["Lµo", "Laøo", "bàc", "tảt", "àà", "Vỵnh", "xyz", "ß"])
def test_what_no_vietnamese_writes_is_no_syllable(word: str) -> None:
    assert not is_syllable(word)


@pytest.mark.parametrize("word", ["Lào", "QUYẾT", "nghiêng", "giếng", "Quỳnh", "Đắk", "khuya", "Ý"])
def test_what_vietnamese_writes_is_a_syllable(word: str) -> None:
    assert is_syllable(word)
