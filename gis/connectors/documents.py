"""Records of documents: JSON, XML, CSV and tables of HTML pages, as their source names them."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any, BinaryIO, cast

import orjson

from gis.connectors.connector import Record
from gis.connectors.http_client import SourceAnswer
from gis.connectors.templates import member
from gis.errors import BadFile, BadInput, SourceRefused
from gis.intake.xml_prolog import root_element

_AT_ONCE = 16 * 2**20  # bytes of JSON that are parsed at once; more is parsed record by record
_CHUNK = 2**20  # characters
_MOST_OF_ONE = 16 * 2**20  # characters of one record
_MOST_COLUMNS = 2_000
_HTML = re.compile(rb"\A\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.I | re.S)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.I)
_DELIMITERS = ",;\t|"


@contextmanager
def expecting(what: str) -> Iterator[None]:
    """Makes a BadFile of an answer whose members are not what those of `what` are.

    Around the reading of members alone: each may be missing, or a number instead of a list.
    """
    try:
        yield
    except (TypeError, KeyError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise BadFile(
            f"the answer is not as that of {what} ({type(error).__name__}): its server has "
            "changed, or is another one"
        ) from error


def refuse_html(answer: SourceAnswer, wanted: str) -> None:
    """Raises SourceRefused for a page for people, such as that of a login."""
    head = answer.head()
    if not _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return
    title = _TITLE.search(head.decode("utf-8", "replace"))
    named = f" with the title “{' '.join(title[1].split())[:80]}”" if title else ""
    raise SourceRefused(
        f"a page of HTML{named} came instead of {wanted}: its address or its login has changed"
    )


def charset_of(answer: SourceAnswer) -> str | None:
    found = _CHARSET.search(answer.headers.get("content-type", ""))
    return found[1] if found else None


def json_document(answer: SourceAnswer, encoding: str | None = None) -> Any:
    """A whole document; for answers that are small. Raises SourceRefused, BadFile."""
    refuse_html(answer, "JSON")
    content = answer.content()
    if not content.strip():
        raise BadFile("the answer is empty, where JSON was expected")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        text = _json_text(content, encoding or charset_of(answer))
    try:
        return _DECODER.decode(text.lstrip("\ufeff"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadFile(f"the answer is no valid JSON: {error}") from None


def json_records(
    answer: SourceAnswer, path: str, encoding: str | None = None
) -> tuple[Mapping[str, Any], Iterator[Record]]:
    """What stands about the records, where the document is small, and the records at a path.

    The path leads to a list, to an object whose members are the records, or through `*`, which is
    each of them. Raises SourceRefused, and BadFile where nothing stands at the path.
    """
    if answer.size <= _AT_ONCE or "*" in path.split("."):
        document = json_document(answer, encoding)
        about = document if isinstance(document, Mapping) else {}
        return about, iter([_as_record(value) for value in _at(document, path)])
    refuse_html(answer, "JSON")
    answer.file.seek(0)
    text = _text(answer.file, encoding or charset_of(answer) or "utf-8-sig")
    return {}, map(_as_record, _JsonStream(text).values_at(path))


def _json_text(content: bytes, encoding: str | None) -> str:
    """The text of JSON that is not in UTF-8, or has what RFC 8259 forbids, such as NaN."""
    name = encoding or json.detect_encoding(content)
    try:
        return content.decode(name)
    except (UnicodeDecodeError, LookupError):
        raise BadFile(
            f"the answer is no text in {name}: write its encoding into `encoding`, "
            "such as windows-1258"
        ) from None


# Numbers that are none, which some servers write, are values that are missing.
_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None)


def _at(document: Any, path: str) -> list[Any]:
    values = [document]
    for name in filter(None, path.split(".")):
        if name == "*":
            values = list(chain.from_iterable(map(_each, values)))
            continue
        found = [member(value, name) for value in values]
        if all(value is None for value in found) and values:
            raise _nothing_at(path, name, values[0])
        values = [value for value in found if value is not None]
    return list(chain.from_iterable(map(_each, values)))


def _each(value: Any) -> list[Any]:
    match value:
        case list():
            return value
        case dict() if value and all(isinstance(each, dict) for each in value.values()):
            return list(value.values())
        case dict():
            return [value] if value else []
    raise BadFile("no list of records stands where `records` points to: correct the path")


def _as_record(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {"value": value}


def _nothing_at(path: str, name: str, value: Any) -> BadFile:
    has = ", ".join(map(str, list(value)[:12])) if isinstance(value, Mapping) else "no members"
    return BadFile(f"the answer has no {name} of the path {path}: it has {has[:300]}")


def _text(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """The text of a file; the file stays open when the text is thrown away."""
    return io.TextIOWrapper(cast(Any, _Unclosed(file)), encoding, newline="")


class _Unclosed(io.BufferedIOBase):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return self._file.read(-1 if size is None else size)

    read1 = read


class _JsonStream:
    """JSON that is parsed value by value, so that a document of any size takes little memory."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._buffer = ""
        self._at = 0

    def values_at(self, path: str) -> Iterator[Any]:
        """The values of the list or object at a path. Raises BadFile."""
        try:
            for name in filter(None, path.split(".")):
                self._enter(name, path)
            yield from self._members()
            self._expect_end(len([name for name in path.split(".") if name]))
        except UnicodeDecodeError as error:
            raise BadFile(f"the answer is no text in {error.encoding}: set `encoding`") from None
        except RecursionError:
            raise BadFile("the answer is nested too deep") from None

    def _enter(self, name: str, path: str) -> None:
        self._expect("{")
        names: list[str] = []
        if self._peek() != "}":
            while True:
                key = self._value()
                self._expect(":")
                if key == name:
                    return
                names.append(str(key))
                self._value()
                if self._peek() == "}":
                    break
                self._expect(",")
        raise _nothing_at(path, name, dict.fromkeys(names))

    def _members(self) -> Iterator[Any]:
        opening = self._peek()
        if opening not in ("[", "{"):
            raise BadFile("no list of records stands where `records` points to: correct the path")
        self._at += 1
        closing = "]" if opening == "[" else "}"
        if self._peek() == closing:
            self._at += 1
            return
        while True:
            if opening == "{":
                self._value()
                self._expect(":")
            yield self._value()
            if self._peek() == closing:
                self._at += 1
                return
            self._expect(",")

    def _expect_end(self, depth: int) -> None:
        """What follows the records is whole too, so the answer was not cut behind them."""
        for _ in range(depth):
            while self._peek() == ",":
                self._at += 1
                self._value()
                self._expect(":")
                self._value()
            self._expect("}")
        if self._peek():
            raise BadFile("the answer is no valid JSON: something follows its end")

    def _peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in " \t\r\n":
                    return self._buffer[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _expect(self, character: str) -> None:
        found = self._peek()
        if found != character:
            raise BadFile(
                f"the answer is no valid JSON: {character!r} was expected, "
                f"not {found or 'its end'!r}"
            )
        self._at += 1

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if len(self._buffer) - self._at > _MOST_OF_ONE or not self._more():
                    raise BadFile(f"the answer is no valid JSON: {error.msg}") from None
                continue
            if end == len(self._buffer) and self._more():
                continue  # a number may go on
            self._at = end
            return value

    def _more(self) -> bool:
        more = self._text.read(_CHUNK)
        self._buffer = self._buffer[self._at :] + more
        self._at = 0
        return bool(more)


def xml_records(answer: SourceAnswer, path: str) -> Iterator[Record]:
    """The elements at a path of local names below the root, such as `Data.Station`.

    Attributes are named `@name`, the text of an element that has others `#text`; an element that
    comes several times is a list. Raises SourceRefused and BadFile.
    """
    from lxml import etree

    refuse_html(answer, "XML")
    if not answer.head().strip():
        raise BadFile("the answer is empty, where XML was expected")
    root_element(answer.file)
    answer.file.seek(0)
    names = [name for name in path.split(".") if name]
    if not names:
        raise BadInput("`records` of XML is the path of the records below the root: Data.Station")
    depth, found, seen = 0, False, dict[str, None]()
    open_names: list[str] = []
    parser = etree.iterparse(
        answer.file,
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for event, element in parser:
            if event == "start":
                if depth:
                    open_names.append(etree.QName(element).localname)
                    seen.setdefault(".".join(open_names))
                depth += 1
                continue
            depth -= 1
            if depth == 0:
                break
            if open_names == names:
                found = True
                yield _as_record(_xml_value(element))
            open_names.pop()
            if len(open_names) < len(names):
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise BadFile(f"the answer is no valid XML: {error}") from None
    if not found and not any(name == ".".join(names[:-1]) for name in ["", *seen]):
        shown = ", ".join(list(seen)[:12])
        raise BadFile(f"the answer has no {path}: it has {shown[:300]}")


def _xml_value(element: Any) -> Any:
    from lxml import etree

    members: dict[str, Any] = {
        f"@{etree.QName(name).localname}": value for name, value in element.attrib.items()
    }
    text = (element.text or "").strip()
    for child in element:
        name, value = etree.QName(child).localname, _xml_value(child)
        text += (child.tail or "").strip()
        if name not in members:
            members[name] = value
        elif isinstance(members[name], list):
            members[name].append(value)
        else:
            members[name] = [members[name], value]
    if not members:
        return text or None
    return members | {"#text": text} if text else members


def csv_records(
    answer: SourceAnswer, encoding: str | None = None, delimiter: str | None = None
) -> Iterator[Record]:
    """The rows of delimited text by the names of its first line; cells stay texts.

    Raises SourceRefused, and BadFile, which names the line, where a row has another number of
    cells than the header: what cannot be told from a cut answer is none.
    """
    refuse_html(answer, "CSV")
    name = encoding or charset_of(answer) or "utf-8-sig"
    answer.file.seek(0)
    try:
        text = _text(answer.file, name)
        first = text.readline()
        if not first.strip():
            raise BadFile("the answer is empty, where CSV was expected")
        mark = delimiter or max(_DELIMITERS, key=first.count)
        rows = csv.reader(chain([first.lstrip("\ufeff")], text), delimiter=mark, strict=True)
        header = [cell.strip() for cell in next(rows)]
        if len(header) > _MOST_COLUMNS or len(set(header)) < len(header):
            raise BadFile("two columns of the answer have one name, or it has too many columns")
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise BadFile(
                    f"line {rows.line_num} has {len(row)} cells and the header {len(header)}: the "
                    "answer is cut, or its delimiter is another (`delimiter`)"
                )
            yield dict(zip(header, row, strict=True))
    except UnicodeDecodeError as error:
        raise BadFile(
            f"the answer is no text in {error.encoding}: write its encoding into `encoding`, "
            "such as windows-1258"
        ) from None
    except LookupError:
        raise BadFile(f"there is no encoding {name}: write one into `encoding`") from None
    except csv.Error as error:
        raise BadFile(f"the answer is no valid CSV: {error}") from None


def html_records(
    answer: SourceAnswer, number: int, encoding: str | None = None
) -> Iterator[Record]:
    """The rows of a table of a page, counted from 1, by the names of its first row.

    Raises BadFile where the page has no such table or its rows differ in length.
    """
    from lxml import html
    from lxml.etree import ParserError

    parser = html.HTMLParser(encoding=encoding or charset_of(answer) or "utf-8", no_network=True)
    try:
        page = html.document_fromstring(answer.content(), parser=parser)
    except (ParserError, ValueError):
        raise BadFile("the answer is empty, where a page of HTML was expected") from None
    tables = page.findall(".//table")
    if len(tables) < number:
        raise BadFile(
            f"the page has {len(tables)} tables, and not a table {number}: its form changed"
        )
    rows = [
        [
            " ".join("".join(map(str, cell.itertext())).split())
            for cell in row
            if cell.tag in ("td", "th")
        ]
        for row in tables[number - 1].iter("tr")
    ]
    if not rows:
        raise BadFile(f"table {number} of the page has no rows: its form changed")
    header, *body = rows
    for line, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise BadFile(
                f"row {line} of table {number} has {len(row)} cells and its first {len(header)}"
            )
        yield dict(zip(header, row, strict=True))
