"""docs/how-to/old-encodings.md shows the messages that an officer really sees."""

from pathlib import Path

import pytest

from gis.errors import AmbiguousInput
from gis.intake.encodings import ENCODINGS
from gis.intake.tables import RawTable, read_table
from tests.unit.intake.legacy import to_tcvn3

DOCUMENT = Path(__file__).parents[3] / "docs" / "how-to" / "old-encodings.md"
RECORDS = "Mã,Tên xã,Ghi chú\n1,Bát Xát,Đã kiểm tra\n2,Mường Khương,Sạt lở\n3,Trịnh Tường,\n"


@pytest.fixture
def document() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def read(folder: Path, content: bytes) -> RawTable:
    path = folder / "bao_cao.csv"
    path.write_bytes(content)
    return read_table(path)


def test_the_report_of_a_conversion_is_as_documented(tmp_path: Path, document: str) -> None:
    table = read(tmp_path, to_tcvn3(RECORDS))
    assert "\n".join(map(str, table.notes)) in document


def test_the_report_of_mis_decoded_utf_8_is_as_documented(tmp_path: Path, document: str) -> None:
    seen = "Lào Cai".encode().decode("iso-8859-1")
    [note] = read(tmp_path, f"Mã,Tỉnh\n1,{seen}\n".encode()).notes
    assert str(note) in document


def test_the_report_of_lost_letters_is_as_documented(tmp_path: Path, document: str) -> None:
    [note] = read(tmp_path, "Mã,Tên\n1,Qu·?£ng Ninh\n".encode()).notes
    assert str(note) in document


def test_the_question_about_too_short_a_column_is_as_documented(
    tmp_path: Path, document: str
) -> None:
    with pytest.raises(AmbiguousInput) as caught:
        read(tmp_path, b"ma,ho\n1,H\xb5\n2,H\xb5\n")
    assert str(caught.value) in document


def test_every_encoding_is_documented(document: str) -> None:
    assert [name for name in ENCODINGS if f"`{name}`" not in document] == []
