"""Summaries as files: CSV and workbooks of the same rows as the JSON."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from layers.summary.statement import Summary

CSV_MEDIA: Final = "text/csv"
XLSX_MEDIA: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BYTE_ORDER_MARK: Final = "\ufeff"  # without it, spreadsheet programs read UTF-8 as Windows' own
_LONGEST_SHEET_NAME: Final = 31


def csv_of(summary: Summary) -> bytes:
    """UTF-8 with a byte order mark and a header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(summary.columns)
    writer.writerows([_as_text(row[name]) for name in summary.columns] for row in summary.rows)
    return (_BYTE_ORDER_MARK + out.getvalue()).encode()


def workbook_of(summary: Summary, title: str) -> bytes:
    """One sheet with the rows, and one for the totals by each grouping alone; texts stay texts."""
    import xlsxwriter

    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        _sheet(book, title, summary.columns, summary.rows)
        for name, rows in summary.totals.items():
            _sheet(book, name, list(rows[0]) if rows else [], rows)
    return out.getvalue()


def _sheet(book: Any, name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    sheet = book.add_worksheet(name.replace(".", " ")[:_LONGEST_SHEET_NAME])
    bold = book.add_format({"bold": True})
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column, bold)
    for line, row in enumerate(rows, 1):
        for place, column in enumerate(columns):
            value = row[column]
            if isinstance(value, bool):
                sheet.write_boolean(line, place, value)
            elif isinstance(value, int | float):
                sheet.write_number(line, place, value)
            elif value is not None:
                sheet.write_string(line, place, str(value))
    sheet.freeze_panes(1, 0)
    sheet.autofit()


def _as_text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
