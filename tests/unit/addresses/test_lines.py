"""Addresses on stdin are bytes first: their letters are converted, asked about, never lost."""

import pytest

from api.cli.place import read_lines
from gis.errors import AmbiguousInput
from tests.unit.intake.legacy import to_tcvn3, to_viscii, to_vni, to_windows_1258

ADDRESSES = [
    "xã Y Tý, Bát Xát, Lào Cai",
    "thôn Làng Nủ, xã Phúc Khánh, huyện Bảo Yên",
    "phường Ô Quý Hồ, thị xã Sa Pa",
    "xã Mường Khương, tỉnh Lào Cai",
    "đường Hoàng Liên, phường Cốc Lếu, thành phố Lào Cai",
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_unicode_are_read_as_they_are(encoding: str, end: str) -> None:
    table = read_lines((end.join(ADDRESSES) + end).encode(encoding), "address")
    assert table["address"] == ADDRESSES
    assert table.notes == ()


@pytest.mark.parametrize("write", [to_tcvn3, to_viscii, to_vni, to_windows_1258])
def test_lines_of_an_old_encoding_are_converted_and_said_so(write) -> None:
    table = read_lines(write("\n".join(ADDRESSES) + "\n"), "address")
    assert table["address"] == ADDRESSES
    assert [note.column for note in table.notes] == ["address"]


def test_bytes_with_several_readings_are_asked_about() -> None:
    content = b"x\xe0 Y T\xfd, B\xe1t X\xe1t\n"
    with pytest.raises(AmbiguousInput, match="--encoding"):
        read_lines(content, "address")
    assert read_lines(content, "address", encoding="vni")["address"] == ["xà Y Tý, Bát Xát"]


def test_one_odd_line_among_many_in_utf_8_is_asked_about() -> None:
    content = "\n".join(ADDRESSES).encode() + b"\nx\xe3 T\xe0 Phin\n"
    with pytest.raises(AmbiguousInput):
        read_lines(content, "address")


def test_a_line_without_an_address_keeps_its_place() -> None:
    table = read_lines(b"a\n\nb", "address")
    assert (table["address"], list(table.lines)) == (["a", "", "b"], [1, 2, 3])


def test_nothing_is_no_line() -> None:
    assert len(read_lines(b"", "address")) == 0
