"""Registers as offices keep them: times, merged cells, titles above and signatures beneath."""

import re
from pathlib import Path

import pytest

from gis.errors import AmbiguousInput, BadFile
from gis.intake.layout import parse_layout
from gis.intake.tables import RawTable, read_table
from tests.intake_layers import FILES
from tests.workbooks import Cell, write_ods, write_xls, write_xlsx

RECORDS = [["STT", "Tên xã", "Độ cao"], [1, "Bát Xát", 12.5], [2, "Cốc San", 1e-7]]


def test_days_since_1904_are_those_that_the_spreadsheet_shows() -> None:
    assert read_table(FILES / "x_1904.xlsx")["when"][:2] == [
        "2025-09-01T00:00:00",
        "2025-09-13T10:30:00",
    ]


@pytest.mark.parametrize("name", ["y_alldt.xlsx", "z_0.xlsx"])
def test_times_are_kept(name: str) -> None:
    assert read_table(FILES / name)["when"][0] == "2025-09-01T08:15:00"


@pytest.mark.parametrize(
    "form",
    ["d/m/yy h:mm", "h:mm d/m/yyyy", "dd/mm/yyyy hh:mm:ss", "[$-42A]d/m/yy h:mm AM/PM", "m/d/yy h",
     "yyyy-mm-dd\\Thh:mm", "dd mmmm yyyy", "[$-F800]dddd, mmmm dd, yyyy"],
)  # fmt: skip
def test_times_are_kept_whatever_their_format(tmp_path: Path, form: str) -> None:
    rows = {"S": [["id", "luc", "x"], [1, ("date", 45901.34375), 1], [2, ("date", 45902), 1]]}
    table = read_table(write_xlsx(tmp_path / "a.xlsx", rows, number_format=form))
    assert table["luc"] == ["2025-09-01T08:15:00", "2025-09-02T00:00:00"]


def test_numbers_have_all_their_digits(tmp_path: Path) -> None:
    numbers: list[Cell] = [0.1, 1e308, -1e-7, 123456789012345, 103.97071234567891, 2998]
    rows = [["a", "b", "c"], *([number, "x", 1] for number in numbers)]
    table = read_table(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))
    assert [float(text) for text in table["a"]] == numbers
    assert table["a"][3] == "123456789012345" and table["a"][5] == "2998"


def test_errors_and_spans_of_time_are_as_the_spreadsheet_shows_them(tmp_path: Path) -> None:
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c>'
        '<c r="B1" t="inlineStr"><is><t>b</t></is></c></row>'
        '<row r="2"><c r="A2" t="e"><v>#N/A</v></c><c r="B2" s="1"><v>1.1041666666666667</v></c>'
        '</row><row r="3"><c r="A3"><v>9007199254740993</v></c><c r="B3" t="b"><v>1</v></c></row>'
        "</sheetData></worksheet>"
    )
    parts = {"xl/worksheets/sheet1.xml": sheet}
    path = write_xlsx(tmp_path / "a.xlsx", {"S": []}, parts=parts, number_format="[h]:mm")
    assert list(read_table(path).rows()) == [
        {"a": "#N/A", "b": "26:30:00"}, {"a": "9007199254740993", "b": "true"},
    ]  # fmt: skip


ERRORS = [
    ["id", "Độ cao", "Ghi chú"],
    ["1", "#N/A", "a"],
    ["2", "2", "#REF!"],
    ["3", "3", "b"],
    ["4", "#DIV/0!", "#N/A"],
]


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".ods", ".csv"])
def test_errors_are_faults_of_their_cells(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    match suffix:
        case ".xlsx":
            write_xlsx(path, {"Trang 1": ERRORS})
        case ".xls":
            write_xls(path, ERRORS)
        case ".ods":
            write_ods(path, ERRORS)
        case ".csv":
            path.write_text("".join(",".join(row) + "\n" for row in ERRORS), encoding="utf-8")
    table = read_table(path)
    assert table["Độ cao"] == ["#N/A", "2", "3", "#DIV/0!"]
    assert table["Ghi chú"] == ["a", "#REF!", "b", "#N/A"]
    found = list(table.value_faults(table.columns))
    assert [row for row, _ in found] == [0, 3, 1, 3]
    cells = [re.findall(r"the cell (\w+) holds", why) for _, why in found]
    assert cells == ([[]] * 4 if suffix == ".csv" else [["B2"], ["B5"], ["C3"], ["C5"]])


def test_merged_cells_hold_for_each_of_their_rows() -> None:
    assert read_table(FILES / "x_merged_rows.xlsx")["commune"] == [
        "Xã Bát Xát", "Xã Bát Xát", "Phường Sa Pa",
    ]  # fmt: skip


def test_merged_cells_of_old_and_open_formats_hold_for_each_of_their_rows(tmp_path: Path) -> None:
    names, rows = ["id", "Xã", "c"], [["1", "Bát Xát", "x"], ["2", None, "y"], ["3", "", "z"]]
    old = write_xls(tmp_path / "a.xls", [names, *rows], merged=[(1, 2, 1, 1)])
    spanned = [["1", ("Bát Xát", 2), "x"], *rows[1:]]
    free = write_ods(tmp_path / "a.ods", [names, *spanned])
    for path in (old, free):
        assert read_table(path)["Xã"] == ["Bát Xát", "Bát Xát", ""], path.name


@pytest.mark.parametrize("suffix", [".xlsx", ".xlsm", ".xls", ".ods"])
def test_every_kind_of_workbook_gives_the_same_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".xls":
        write_xls(path, RECORDS)
    elif suffix == ".ods":
        write_ods(path, [[str(cell) for cell in row] for row in RECORDS])
    else:
        write_xlsx(path, {"Trang 1": RECORDS})
    table = read_table(path)
    assert table.columns == ("STT", "Tên xã", "Độ cao")
    assert table["Tên xã"] == ["Bát Xát", "Cốc San"] and list(table.lines) == [2, 3]
    assert [float(text) for text in table["Độ cao"]] == [12.5, 1e-7]


def test_a_table_that_does_not_begin_at_the_first_cell_is_found() -> None:
    table = read_table(FILES / "x_offset.xlsx")
    assert table.columns[:3] == ("id", "lon", "lat") and list(table.lines) == [4, 5, 6]


def told(table: RawTable) -> str:
    return "\n".join(map(str, table.notes))


@pytest.mark.parametrize("name", ["x_titles.xlsx", "titles_above.csv"])
def test_titles_above_the_names_of_columns_are_found_and_reported(name: str) -> None:
    table = read_table(FILES / name)
    assert table.columns == (
        "id", "lon", "lat", "address", "commune", "when", "val", "n", "note",
    )  # fmt: skip
    assert table["id"][:3] == ["1", "2", "3"] and table.lines[0] == 5
    assert "SỞ NÔNG NGHIỆP" in told(table) and "in row 4" in told(table)


REGISTER = [
    ["UBND TỈNH LÀO CAI"],
    ["BÁO CÁO THÁNG 9/2025"],
    [],
    ["STT", "Vị trí", None, "Ghi chú", None],
    [None, "Kinh độ", "Vĩ độ", "Loại", "Mức"],
    ["(1)", "(2)", "(3)", "(4)", "(5)"],
    [1, 103.97, 22.48, "a", "b"],
    [2, 103.98, 22.49, "c", "d"],
    ["Tổng cộng", None, None, 2, None],
    [],
    [None, None, None, "Lào Cai, ngày 30 tháng 9 năm 2025"],
    [None, None, None, "Người lập biểu"],
    [None, None, None, "Nguyễn Văn Mẫu"],
]


def test_a_whole_register_is_read_without_its_frame(tmp_path: Path) -> None:
    ranges = ["B4:C4", "D4:E4", "A4:A5"]
    for path in (
        write_xlsx(tmp_path / "a.xlsx", {"S": REGISTER}, merged=ranges),
        write_xlsx(tmp_path / "b.xlsx", {"S": REGISTER}),
        csv_of(tmp_path / "a.csv", REGISTER),
    ):
        table = read_table(path)
        assert table.columns == ("STT", "Kinh độ", "Vĩ độ", "Loại", "Mức"), path.name
        assert table["STT"] == ["1", "2"] and list(table.lines) == [7, 8]
        assert "rows 4-5" in told(table) or "row 4-5" in told(table)
        assert "row 6 only numbers the columns" in told(table)
        assert "the last 4 rows, from row 9" in told(table) and "Người lập biểu" in told(table)


def csv_of(path: Path, rows: list[list[object]]) -> Path:
    lines = [",".join(f'"{"" if cell is None else cell}"' for cell in row) for row in rows]
    path.write_text("\n".join(line or ",,,," for line in lines), encoding="utf-8")
    return path


def test_parts_of_the_same_name_have_that_of_their_group(tmp_path: Path) -> None:
    rows = [
        ["STT", "Đầu", None, "Cuối", None],
        [None, "X", "Y", "X", "Y"],
        [1, 1.5, 2.5, 3.5, 4.5],
        [2, 1.5, 2.5, 3.5, 4.5],
    ]
    table = read_table(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))
    assert table.columns == ("STT", "Đầu X", "Đầu Y", "Cuối X", "Cuối Y")


def test_a_header_that_is_not_certain_is_asked_and_the_option_answers(tmp_path: Path) -> None:
    rows = [["Danh sách"], ["a", "b", 3], ["z", "w", 4]]
    path = write_xlsx(tmp_path / "a.xlsx", {"S": rows})
    with pytest.raises(AmbiguousInput, match="--header-row") as asked:
        read_table(path)
    assert "2: a | b | 3" in str(asked.value)
    table = read_table(path, layout=parse_layout("2"))
    assert table.columns == ("a", "b", "3") and table["a"] == ["z"]


def test_a_first_row_that_names_the_columns_needs_no_search(tmp_path: Path) -> None:
    """Records whose text could be names, and a column that is nearly empty, change nothing."""
    rows = [["a", "b", "c"], ["x", None, None], ["y", "z", None], ["u", "v", "w"]]
    table = read_table(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))
    assert table.columns == ("a", "b", "c") and table["a"] == ["x", "y", "u"]
    assert table.notes == ()


def test_what_no_option_is_needed_for_may_be_declared_all_the_same(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"S": REGISTER})
    table = read_table(path, layout=parse_layout("4-5", 5))
    assert table["STT"] == ["1", "2"] and table.columns[1] == "Kinh độ"
    kept = read_table(path, layout=parse_layout("4-5", 0))
    assert kept["STT"] == ["1", "2", "Tổng cộng", "", "", ""]


@pytest.mark.parametrize("first", ["Tổng Sành", "Cộng Hòa", "Ghi chép", "Nguồn nước", "Notes"])
def test_a_last_record_that_begins_like_a_sum_is_a_record(tmp_path: Path, first: str) -> None:
    rows = [["ten", "x", "y"], ["a", 1, 2], ["b", 3, 4], [first, 5, 6]]
    table = read_table(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))
    assert table["ten"] == ["a", "b", first]


def test_sparse_records_at_the_end_are_records(tmp_path: Path) -> None:
    text = "id,x,y,z\n1,2,3,4\n5,,,\n6,,,\n"
    (tmp_path / "a.csv").write_text(text)
    assert read_table(tmp_path / "a.csv")["id"] == ["1", "5", "6"]


def test_a_value_in_a_column_without_a_name_is_a_fault_of_its_row(tmp_path: Path) -> None:
    rows = [["a", "b", "c"], [1, 2, 3], [4, 5, 6, None, "lạc"], [7, 8, 9]]
    path = write_xlsx(tmp_path / "a.xlsx", {"S": rows})
    table = read_table(path, layout=parse_layout("1"))
    assert table.columns == ("a", "b", "c", "column_5") and table["column_5"] == ["", "lạc", ""]


def test_the_only_sheet_that_is_shown_and_filled_is_read(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "a.xlsx", {"Trống": [], "Số liệu": RECORDS, "Mã": RECORDS}, hidden=["Mã"]
    )
    assert len(read_table(path)) == 2
    assert len(read_table(path, table="Mã")) == 2
    several = write_xlsx(tmp_path / "b.xlsx", {"T8": RECORDS, "T9": RECORDS[:2]})
    with pytest.raises(AmbiguousInput, match="--table: “T8”, “T9”"):
        read_table(several)
    assert len(read_table(several, table="T9")) == 1


@pytest.mark.parametrize("text", ["0", "4-3", "1-9", "a", "", "-1"])
def test_a_row_that_cannot_be_is_reported_with_what_is_right(text: str) -> None:
    from gis.errors import BadInput

    with pytest.raises(BadInput, match="such as 4, or 4-5"):
        parse_layout(text)


def test_a_header_in_a_blank_row_is_reported() -> None:
    with pytest.raises(BadFile, match="row 3 is blank"):
        read_table(FILES / "x_titles.xlsx", layout=parse_layout("3"))
