"""Conversion of old Vietnamese encodings to Unicode (NFC), column by column, with a note of each.

What is already Unicode stays as it is. Which encoding a column has, its values decide together
(gis.intake.conversions).
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gis.errors import AmbiguousInput, BadInput
from gis.intake.charmaps import LEGACY, OF_BYTES, Encoding
from gis.intake.conversions import (
    Conversion,
    conversion_of,
    is_odd,
    read_all,
    unread_of,
    with_case,
)

BYTES = "iso-8859-1"  # one character a byte: of text whose columns are yet to be decoded
MAX_EXAMPLE_LENGTH = 80
_LOST_LETTERS = re.compile(r"\ufffd|[^\W\d_]\?[^\W\d_]|\?[\u00a1-\u00bf]")
_URL = re.compile(r"://|www\.")


ENCODINGS = tuple(encoding.value for encoding in Encoding)
_NAMES = {
    Encoding.UTF_8: "UTF-8",
    Encoding.TCVN3: "TCVN3 (ABC)",
    Encoding.VNI: "VNI",
    Encoding.VISCII: "VISCII",
    Encoding.WINDOWS_1258: "Windows-1258",
    Encoding.WINDOWS_1252: "Windows-1252",
    Encoding.MOJIBAKE: "UTF-8 đọc sai bảng mã (mis-decoded UTF-8)",
}


@dataclass(frozen=True, slots=True)
class EncodingNote:
    """A conversion of one column: its encoding, the number of values, up to three examples.

    Examples are (before, after). `column` None stands for the names of the columns. `lost`:
    letters were already lost in the source; those values are reported and not changed.
    """

    column: str | None
    encoding: Encoding
    count: int
    examples: tuple[tuple[str, str], ...]
    lost: bool = False

    def __str__(self) -> str:
        column = f"cột (column) “{self.column}”" if self.column else "tên cột (names of columns)"
        values = f"{self.count} giá trị (values)"
        if self.lost:
            examples = ", ".join(f"“{_printable(before)}”" for before, _ in self.examples)
            return (
                f"{column}: {values} đã mất chữ từ nguồn (lost letters in the source): {examples}"
            )
        examples = ", ".join(
            f"“{_printable(before)}” → “{_printable(after)}”" for before, after in self.examples
        )
        return f"{column}: {_NAMES[self.encoding]} → Unicode, {values}: {examples}"


def _printable(text: str) -> str:
    """A value on one line of a terminal: bytes of old letters may be control characters there."""
    cut = text if len(text) <= MAX_EXAMPLE_LENGTH else text[: MAX_EXAMPLE_LENGTH - 1] + "…"
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in cut)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Names of columns and cells by name in Unicode, NFC, and notes of the conversions."""

    columns: tuple[str, ...]
    cells: dict[str, list[str]]
    notes: tuple[EncodingNote, ...]


def has_lost_letters(text: str) -> bool:
    """True where a text may have lost letters, which a `?` or U+FFFD stands for."""
    return ("?" in text or "\ufffd" in text) and _LOST_LETTERS.search(text) is not None


class NoteTally:
    """Notes of the conversion of a column, counted part by part."""

    def __init__(self, name: str | None, encoding: Encoding) -> None:
        self.name = name
        self.encoding = encoding
        self.converted = self.lost = 0
        self._first: dict[str, str] = {}
        self._lost: list[str] = []

    def add(self, values: Sequence[str], texts: Mapping[str, tuple[str, str]]) -> None:
        """Count the values of a part; `texts` are those of `Conversion.texts`."""
        changed = {
            value: pair
            for value, pair in texts.items()
            if pair[1] != unicodedata.normalize("NFC", pair[0])
        }
        if changed:
            self.converted += sum(value in changed for value in values)
            self._first = dict(sorted({**self._first, **dict(changed.values())}.items())[:3])
        if texts or has_lost_letters("\n".join(values)):
            self._count_lost(values, texts)

    def _count_lost(self, values: Sequence[str], texts: Mapping[str, tuple[str, str]]) -> None:
        lost = {}
        for value in dict.fromkeys(values):
            text = texts[value][1] if value in texts else value
            if _LOST_LETTERS.search(text) and not _URL.search(text):
                lost[value] = text
        if lost:
            self.lost += sum(value in lost for value in values)
            self._lost = list(dict.fromkeys([*self._lost, *lost.values()]))[:3]

    def notes(self) -> Iterator[EncodingNote]:
        if self.converted:
            examples = tuple(self._first.items())
            yield EncodingNote(self.name, self.encoding, self.converted, examples)
        if self.lost:
            examples = tuple((text, text) for text in self._lost)
            yield EncodingNote(self.name, self.encoding, self.lost, examples, lost=True)


class Decoder:
    """Conversion of the columns of one file, and the notes of it.

    `names` are those of the columns in Unicode, NFC. `tally` counts the values that are converted:
    each part of the file is to be decoded once with it.
    """

    def __init__(self, names: tuple[str, ...], conversions: Sequence[Conversion]) -> None:
        self.names = names
        self.conversions = conversions
        self.tallies = [
            NoteTally(name, conversion.encoding or Encoding.UTF_8)
            for name, conversion in zip((None, *names), conversions, strict=True)
        ]

    def decode(self, cells: Sequence[list[str]], *, tally: bool = False) -> list[list[str]]:
        """The cells in Unicode, NFC, column by column; raises BadFile for a byte that the
        encoding does not have."""
        decoded = []
        for values, conversion, tallied in zip(
            cells, self.conversions[1:], self.tallies[1:], strict=True
        ):
            decoded.append(_decoded(values, conversion, tallied if tally else None))
        return decoded

    @property
    def notes(self) -> tuple[EncodingNote, ...]:
        return tuple(note for tally in self.tallies for note in tally.notes())


def _decoded(values: list[str], conversion: Conversion, tally: NoteTally | None) -> list[str]:
    texts = {} if conversion.decoded and "".join(values).isascii() else conversion.texts(values)
    if tally is not None:
        tally.add(values, texts)
    return [texts[value][1] if value in texts else value for value in values] if texts else values


def text_codec(start: bytes) -> str:
    """The codec that a file's beginning speaks for: UTF-16 in one of its forms, else UTF-8."""
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    return "utf-16-le" if _is_utf_16_without_mark(start) else "utf-8-sig"


def decode_file(content: bytes) -> tuple[str, bool]:
    """Text of a file, and True where it is decoded; else each character is a byte (ISO-8859-1)."""
    try:
        return content.decode(text_codec(content)), True
    except UnicodeDecodeError:
        return content.decode(BYTES), False


def decode_columns(
    header: Sequence[str],
    cells: Sequence[list[str]],
    *,
    decoded: bool,
    encoding: str | None = None,
) -> Decoded:
    """The header and the cells, column by column, in Unicode.

    `decoded` False: each character is a byte. `encoding` is the answer to an earlier question.
    Raises AmbiguousInput when the bytes of a column have several readings or none that is
    Vietnamese; BadInput when `encoding` is unknown; BadFile for a byte that it does not have.
    """
    odd = [sorted({v for v in values if is_odd(v, decoded=decoded)}) for values in cells]
    decoder = settled_decoder(header, odd, decoded=decoded, encoding=encoding)
    texts = decoder.decode(cells, tally=True)
    return Decoded(decoder.names, dict(zip(decoder.names, texts, strict=True)), decoder.notes)


def settled_decoder(
    header: Sequence[str],
    odd: Sequence[list[str]],
    *,
    decoded: bool,
    encoding: str | None = None,
) -> Decoder:
    """The conversion of the columns of a file, by values of each beyond ASCII, distinct and
    sorted; arguments and errors are otherwise those of `decode_columns`.
    """
    chosen = _parse_encoding(encoding)
    of_names = sorted({name for name in header if is_odd(name, decoded=decoded)})
    evidence = [(None, of_names), *zip(header, odd, strict=True)]
    found = [conversion_of(values, chosen, decoded=decoded) for _, values in evidence]
    shared = {conversion.encoding for conversion in found} & set(LEGACY)
    only = next(iter(shared)) if len(shared) == 1 else None
    settled = [
        _decided(name, values, conversion, only)
        for (name, values), conversion in zip(evidence, found, strict=True)
    ]
    tally = NoteTally(None, settled[0].encoding or Encoding.UTF_8)
    names = tuple(name.strip() for name in _decoded(list(header), settled[0], tally))
    decoder = Decoder(names, settled)
    decoder.tallies[0] = tally
    return decoder


def _decided(
    name: str | None, odd: list[str], conversion: Conversion, shared: Encoding | None
) -> Conversion:
    """The conversion, of an undecided column that of the others of its file.

    Raises AmbiguousInput where the others decide nothing.
    """
    if conversion.encoding is not None:
        return conversion
    unread = unread_of(odd, conversion)
    if shared is None:
        raise _question(name, unread)
    return with_case(replace(conversion, encoding=shared), unread)


def _parse_encoding(encoding: str | None) -> Encoding | None:
    if encoding is not None and encoding not in ENCODINGS:
        raise BadInput(
            f"không biết bảng mã / unknown encoding “{encoding}”; "
            f"dùng một trong / use one of: {', '.join(ENCODINGS)}"
        )
    return None if encoding is None else Encoding(encoding)


def _question(name: str | None, unread: Sequence[str]) -> AmbiguousInput:
    column_label = f"cột / column “{name}”" if name else "tên cột / names of columns"
    value = max(unread, key=len)
    readings = "; ".join(
        f"{encoding}: “{_printable(text[0])}”"
        for encoding, decode in OF_BYTES.items()
        if (text := read_all([value], decode)) is not None
    )
    return AmbiguousInput(
        f"{column_label}: không rõ bảng mã, hãy khai báo bằng --encoding / "
        f"its encoding is not certain, give it with --encoding. {readings}"
    )


def _is_utf_16_without_mark(content: bytes) -> bool:
    odd = content[1:400:2]
    return len(odd) > 4 and odd.count(0) > 0.8 * len(odd)
