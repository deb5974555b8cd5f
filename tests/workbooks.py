"""Small workbooks, written part by part: .xlsx, .ods and .xls as programs write them."""

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

type Cell = str | float | None
type Rows = Sequence[Sequence[Cell]]

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
_MANIFEST = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
_CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"


def write_xlsx(
    path: Path,
    sheets: Mapping[str, Rows],
    *,
    merged: Sequence[str] = (),
    hidden: Sequence[str] = (),
    number_format: str = "dd/mm/yyyy h:mm",
    parts: Mapping[str, str] | None = None,
) -> Path:
    """A workbook; a number that is given as `("date", 45901.34)` has the `number_format`.

    `merged` are ranges such as A2:A3 of each sheet, `parts` are put in the place of parts.
    """
    names = list(sheets)
    states = ['state="hidden"' if name in hidden else "" for name in names]
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{i}" {state} r:id="rId{i}"/>'
        for i, (name, state) in enumerate(zip(names, states, strict=True), start=1)
    )
    relations = "".join(
        f'<Relationship Id="rId{i}" Type="{_REL}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(names) + 1)
    )
    styles = f'<Relationship Id="rId99" Type="{_REL}/styles" Target="styles.xml"/>'
    content = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_REL}"><workbookPr/>'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f"{relations}{styles}</Relationships>",
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><numFmts count="1"><numFmt numFmtId="164" '
        f"formatCode={quoteattr(number_format)}/></numFmts><cellXfs>"
        '<xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>',
    }
    merge = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
    merge = f"<mergeCells>{merge}</mergeCells>" if merged else ""
    for i, rows in enumerate(sheets.values(), start=1):
        data = "".join(_row(number, row) for number, row in enumerate(rows, start=1))
        content[f"xl/worksheets/sheet{i}.xml"] = (
            f'<worksheet xmlns="{_MAIN}"><sheetData>{data}</sheetData>{merge}</worksheet>'
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (content | dict(parts or {})).items():
            archive.writestr(name, text)
    return path


def _row(number: int, row: Sequence[object]) -> str:
    cells = "".join(_cell(f"{_letters(i)}{number}", value) for i, value in enumerate(row))
    return f'<row r="{number}">{cells}</row>'


def _cell(place: str, value: object) -> str:
    match value:
        case None | "":
            return ""
        case ("date", days):
            return f'<c r="{place}" s="1"><v>{days!r}</v></c>'
        case bool():
            return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
        case str() if value in _ERRORS:
            return f'<c r="{place}" t="e"><v>{value}</v></c>'
        case int() | float():
            return f'<c r="{place}"><v>{value!r}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def _letters(i: int) -> str:
    return (_letters(i // 26 - 1) if i >= 26 else "") + chr(ord("A") + i % 26)


def write_ods(path: Path, rows: Sequence[Sequence[Cell | tuple[str, int]]]) -> Path:
    """A sheet of text; `("Xã Bát Xát", 2)` is merged over two rows, and None is covered."""
    lines = []
    for row in rows:
        cells = []
        for value in row:
            if value is None:
                cells.append("<table:covered-table-cell/>")
                continue
            text, span = value if isinstance(value, tuple) else (value, 1)
            spanned = f' table:number-rows-spanned="{span}" table:number-columns-spanned="1"'
            kind = ' office:value-type="string"' if text != "" else ""
            if text in _ERRORS:
                kind += ' office:string-value="" calcext:value-type="error"'
            cells.append(
                f"<table:table-cell{spanned if span > 1 else ''}{kind}>"
                f"<text:p>{escape(str(text))}</text:p></table:table-cell>"
            )
        lines.append(f"<table:table-row>{''.join(cells)}</table:table-row>")
    document = (
        f'<office:document-content xmlns:office="{_OFFICE}" xmlns:table="{_TABLE}" '
        f'xmlns:text="{_TEXT}" xmlns:calcext="{_CALC}" office:version="1.2">'
        "<office:body><office:spreadsheet>"
        f'<table:table table:name="Trang 1">{"".join(lines)}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", document)
        archive.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{_MANIFEST}"/>')
    return path


_ERRORS = {"#N/A": 0x2A, "#REF!": 0x17, "#DIV/0!": 0x07}
_SECTOR, _END, _FREE, _FAT = 512, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def write_xls(path: Path, rows: Rows, merged: Sequence[tuple[int, int, int, int]] = ()) -> Path:
    """A BIFF8 workbook of one sheet of text and numbers; `merged`: rows, then columns."""
    sheet = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            if isinstance(value, str) and value in _ERRORS:  # a constant, or that of a formula
                code = _ERRORS[value]
                if c % 2:
                    sheet += _record(0x0205, struct.pack("<HHHBB", r, c, 0, code, 1))
                else:
                    result = struct.pack("<BxBxxxH", 2, code, 0xFFFF)
                    more = struct.pack("<HIH", 0, 0, 0)
                    sheet += _record(0x0006, struct.pack("<HHH", r, c, 0) + result + more)
            elif isinstance(value, str) and value:
                text = value.encode("utf-16-le")
                body = struct.pack("<HHHHB", r, c, 0, len(value), 1) + text
                sheet += _record(0x0204, body)
            elif value is not None and value != "":
                sheet += _record(0x0203, struct.pack("<HHHd", r, c, 0, value))
    ranges = b"".join(struct.pack("<HHHH", *each) for each in merged)
    sheet += _record(0x00E5, struct.pack("<H", len(merged)) + ranges) if merged else b""
    sheet += _record(0x000A, b"")
    begin = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    begin += _record(0x0042, struct.pack("<H", 1200)) + _record(0x00E0, bytes(20))
    name = "Trang 1".encode("utf-16-le")
    bound_size = 4 + 8 + len(name)
    position = len(begin) + bound_size + 4
    bound = _record(0x0085, struct.pack("<IBBBB", position, 0, 0, len(name) // 2, 1) + name)
    path.write_bytes(_compound(begin + bound + _record(0x000A, b"") + sheet))
    return path


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _compound(stream: bytes) -> bytes:
    """A compound file (MS-CFB) with one stream, `Workbook`."""
    stream = stream.ljust(4096, b"\0")
    sectors = -(-len(stream) // _SECTOR)
    fat = [*range(1, sectors), _END, _END, _FAT]  # the stream, the directory, the table itself
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(_SECTOR, b"\xff")
    assert len(table) == _SECTOR
    root = _entry("Root Entry", 5, child=1, start=_END, size=0)
    directory = (root + _entry("Workbook", 2, child=_FREE, start=0, size=len(stream))).ljust(
        _SECTOR, b"\0"
    )
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        0x3E, 3, 0xFFFE, 9, 6,
        0, 1, sectors, 0, 4096, _END, 0, _END, 0,
    )  # fmt: skip
    header += struct.pack("<I", sectors + 1) + b"\xff" * 4 * 108
    return header + stream.ljust(sectors * _SECTOR, b"\0") + directory + table


def _entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    return struct.pack(
        "<64sHBBIII16xI8x8xIQ", text, len(text), kind, 1, _FREE, _FREE, child, 0, start, size
    )
