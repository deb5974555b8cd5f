"""Conversion of old Vietnamese encodings to Unicode (NFC), column by column, with a note of each.

One value says too little: `§µ` can be many things. A whole column says enough, because under the
right reading nearly all its words are Vietnamese syllables, and under a wrong one few are. What
is already Unicode stays as it is.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gis.errors import AmbiguousInput, BadFile, BadInput
from gis.intake.charmaps import from_tcvn3, from_viscii, from_vni, from_windows_1258, restore_case
from gis.intake.mojibake import repair
from gis.intake.syllables import is_foreign, share_of_syllables, words_beyond_ascii

SAMPLE = 2000
MAX_EXAMPLE_LENGTH = 80
# Shares of the words that are Vietnamese syllables, by which a reading is chosen: at least so many
# under the reading; so many more than in the text itself, where that is Unicode already; and so
# many more than under the next reading that gives another text.
MIN_SYLLABLE_SHARE = 0.8
MIN_IMPROVEMENT = 0.2
MIN_LEAD = 0.1
_CONTROL_LETTERS = re.compile(r"[\x02\x05\x06\x14\x19\x1e]")  # Ẳ Ẵ Ẫ Ỷ Ỹ Ỵ in VISCII
_LOST_LETTERS = re.compile(r"\ufffd|[^\W\d_]\?[^\W\d_]|\?[\u00a1-\u00bf]")
_URL = re.compile(r"://|www\.")


class Encoding(StrEnum):
    """Encodings of text; the values are those of `--encoding`."""

    UTF_8 = "utf-8"
    TCVN3 = "tcvn3"
    VNI = "vni"
    VISCII = "viscii"
    WINDOWS_1258 = "windows-1258"
    WINDOWS_1252 = "windows-1252"
    MOJIBAKE = "mojibake"


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


def from_windows_1252(text: str) -> str:
    return text.encode("iso-8859-1").decode("cp1252")


_LEGACY: dict[Encoding, Callable[[str], str]] = {
    Encoding.TCVN3: from_tcvn3,
    Encoding.VNI: from_vni,
    Encoding.VISCII: from_viscii,
    Encoding.WINDOWS_1258: from_windows_1258,
}
_OF_BYTES = {**_LEGACY, Encoding.WINDOWS_1252: from_windows_1252}


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
class _Column:
    """Values to decode; `odd` are the distinct ones beyond ASCII."""

    name: str | None
    values: list[str]
    odd: list[str]
    decoded: bool


@dataclass(frozen=True, slots=True)
class _ColumnReading:
    """A reading of a column; `texts` has the values that it changes. No encoding: undecided."""

    encoding: Encoding | None
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Names of columns and cells by name in Unicode, NFC, and notes of the conversions."""

    columns: tuple[str, ...]
    cells: dict[str, list[str]]
    notes: tuple[EncodingNote, ...]


def decode_file(content: bytes) -> tuple[str, bool]:
    """Text of a file, and True where it is decoded; else each character is a byte (ISO-8859-1)."""
    encoding = "utf-8-sig"
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif _is_utf_16_without_mark(content):
        encoding = "utf-16-le"
    try:
        return content.decode(encoding), True
    except UnicodeDecodeError:
        return content.decode("iso-8859-1"), False


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
    chosen = _parse_encoding(encoding)
    columns = [_column(None, list(header), decoded)]
    columns += [_column(n, v, decoded) for n, v in zip(header, cells, strict=True)]
    readings = [_reading(column, chosen) for column in columns]
    shared = {reading.encoding for reading in readings} & set(_LEGACY)
    only = next(iter(shared)) if len(shared) == 1 else None
    readings = [_decided(c, r, only) for c, r in zip(columns, readings, strict=True)]
    names = tuple(name.strip() for name in _texts(columns[0], readings[0]))
    texts = [_texts(c, r) for c, r in zip(columns[1:], readings[1:], strict=True)]
    notes = [
        note
        for name, c, r in zip((None, *names), columns, readings, strict=True)
        for note in _notes(name, c, r)
    ]
    return Decoded(names, dict(zip(names, texts, strict=True)), tuple(notes))


def _parse_encoding(encoding: str | None) -> Encoding | None:
    if encoding is not None and encoding not in ENCODINGS:
        raise BadInput(
            f"không biết bảng mã / unknown encoding “{encoding}”; "
            f"dùng một trong / use one of: {', '.join(ENCODINGS)}"
        )
    return None if encoding is None else Encoding(encoding)


def _column(name: str | None, values: list[str], decoded: bool) -> _Column:
    odd = [value for value in set(values) if _is_odd(value, decoded)]
    column = _Column(name, values, sorted(odd), decoded)
    return column if decoded else _from_utf_8(column)


def _is_odd(value: str, decoded: bool) -> bool:
    if not value.isascii():
        return True
    return not decoded and _CONTROL_LETTERS.search(value) is not None


def _from_utf_8(column: _Column) -> _Column:
    """The column with its UTF-8 decoded, if most of it is UTF-8; other values stay `odd`."""
    decoded = {value: _utf_8(value) for value in column.odd}
    texts = {value: text for value, text in decoded.items() if text is not None}
    undecoded = [value for value, text in decoded.items() if text is None]
    if len(texts) < len(undecoded):
        return column
    values = [texts.get(value, value) for value in column.values]
    if undecoded:
        return _Column(column.name, values, undecoded, False)
    return _Column(column.name, values, sorted(texts.values()), True)


def _utf_8(value: str) -> str | None:
    """The text of UTF-8 bytes; a letter that a field's width has cut becomes U+FFFD. None for
    bytes that are none, and for ASCII that may be letters of VISCII."""
    content = value.encode("iso-8859-1")
    if value.isascii():
        return None
    try:
        return unicodedata.normalize("NFC", content.decode("utf-8"))
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or not error.start:
            return None
        return unicodedata.normalize("NFC", content[: error.start].decode("utf-8")) + "\ufffd"


def _reading(column: _Column, chosen: Encoding | None) -> _ColumnReading:
    if not column.odd:
        return _ColumnReading(Encoding.UTF_8, {})
    if column.decoded:
        return _reading_of_text(column.odd, chosen)
    return _reading_of_bytes(column.odd, chosen)


def _reading_of_text(odd: list[str], chosen: Encoding | None) -> _ColumnReading:
    """The reading of Unicode text whose letters may have been bytes of another encoding."""
    doubtful = [value for value in odd if share_of_syllables([value]) not in (None, 1.0)]
    if not doubtful or chosen is Encoding.UTF_8:
        return _ColumnReading(Encoding.UTF_8, {})
    repaired = repair(odd, doubtful)
    if repaired or chosen is Encoding.MOJIBAKE:
        return _ColumnReading(Encoding.MOJIBAKE, repaired)
    surfaces = {value: surface for value in odd if (surface := _original_bytes(value)) is not None}
    encoding = _best(_sample(list(surfaces.values())), _LEGACY, chosen)
    if encoding not in _LEGACY or not (chosen or _is_better(list(surfaces), encoding)):
        return _ColumnReading(Encoding.UTF_8, {})
    mixed = len(surfaces) < len(odd)
    affected = [value for value in doubtful if value in surfaces] if mixed else list(surfaces)
    decode = _LEGACY[encoding]
    return _ColumnReading(encoding, {value: decode(surfaces[value]) for value in affected})


def _is_better(values: list[str], encoding: Encoding) -> bool:
    """True where Unicode text was clearly written in this encoding.

    It has characters that are no Vietnamese letters, and the encoding makes syllables of them.
    """
    if not any(is_foreign(word) for value in values for word in words_beyond_ascii(value)):
        return False
    sample = _sample(values)
    share_before = share_of_syllables(sample) or 0
    share_after = (
        share_of_syllables(_LEGACY[encoding](_original_bytes(value) or value) for value in sample)
        or 0
    )
    return share_after - share_before >= MIN_IMPROVEMENT


def _reading_of_bytes(odd: list[str], chosen: Encoding | None) -> _ColumnReading:
    encoding = _best(_sample(odd), _OF_BYTES, chosen)
    return _ColumnReading(encoding, {} if encoding is None else _decode_values(odd, encoding))


def _decode_values(odd: Sequence[str], encoding: Encoding) -> dict[str, str]:
    try:
        return {value: _OF_BYTES[encoding](value) for value in odd}
    except UnicodeDecodeError as error:
        raise BadFile(
            f"byte 0x{error.object[error.start]:02x} không có trong {encoding}; hãy xem lại "
            f"--encoding / is not in {encoding}; check --encoding"
        ) from None


def _decided(column: _Column, reading: _ColumnReading, shared: Encoding | None) -> _ColumnReading:
    """The reading, for an undecided column that of the others of its file.

    Raises AmbiguousInput where the others decide nothing.
    """
    if reading.encoding is not None:
        return reading
    if shared is None:
        raise _question(column)
    return _ColumnReading(shared, _decode_values(column.odd, shared))


def _sample(values: list[str]) -> list[str]:
    return values[:: len(values) // SAMPLE + 1]


def _original_bytes(value: str) -> str | None:
    """The bytes that a Western code page made a text of; None where it cannot have been."""
    try:
        return value.encode("iso-8859-1").decode("iso-8859-1")
    except UnicodeEncodeError:
        pass
    try:
        return value.encode("sloppy-windows-1252").decode("iso-8859-1")
    except UnicodeEncodeError:
        return None


def _best(
    sample: list[str], readings: Mapping[Encoding, Callable[[str], str]], chosen: Encoding | None
) -> Encoding | None:
    """The encoding that is clearly the most Vietnamese; None when none is."""
    if chosen is not None:
        return chosen if chosen in readings else None
    texts = {encoding: _decode_sample(sample, decode) for encoding, decode in readings.items()}
    plain = texts.get(Encoding.WINDOWS_1252)
    if plain is not None and share_of_syllables(plain) is None:
        return Encoding.WINDOWS_1252  # signs alone, such as ° and ²
    shares = {e: share_of_syllables(t) or 0 for e, t in texts.items() if t is not None}
    best = max(shares, key=lambda encoding: shares[encoding])
    rivals = [shares[e] for e in shares if texts[e] != texts[best]]
    clear = shares[best] >= MIN_SYLLABLE_SHARE and shares[best] - max(rivals, default=0) >= MIN_LEAD
    return best if clear else None


def _decode_sample(sample: list[str], decode: Callable[[str], str]) -> list[str] | None:
    try:
        return [decode(value) for value in sample]
    except UnicodeDecodeError:
        return None


def _texts(column: _Column, reading: _ColumnReading) -> list[str]:
    """The values as Unicode, NFC; capitals that TCVN3 lacks are restored."""
    texts = reading.texts
    if reading.encoding is Encoding.TCVN3 and texts:
        texts = restore_case(texts)
    if not texts and not column.odd:
        return column.values
    normal = {v: unicodedata.normalize("NFC", texts.get(v, v)) for v in column.odd}
    return [normal.get(value, value) for value in column.values]


def _notes(name: str | None, column: _Column, reading: _ColumnReading) -> list[EncodingNote]:
    encoding = reading.encoding or Encoding.UTF_8
    texts = dict(zip(column.values, _texts(column, reading), strict=True))
    notes = []
    converted = {value for value, text in reading.texts.items() if text != value}
    if converted:
        count = sum(value in converted for value in column.values)
        examples = tuple((value, texts[value]) for value in sorted(converted)[:3])
        notes.append(EncodingNote(name, encoding, count, examples))
    lost = {v: t for v, t in texts.items() if _LOST_LETTERS.search(t) and not _URL.search(t)}
    if lost:
        count = sum(value in lost for value in column.values)
        values = list(lost.values())[:3]
        notes.append(EncodingNote(name, encoding, count, tuple((v, v) for v in values), lost=True))
    return notes


def _question(column: _Column) -> AmbiguousInput:
    column_label = f"cột / column “{column.name}”" if column.name else "tên cột / names of columns"
    value = max(column.odd, key=len)
    readings = "; ".join(
        f"{encoding}: “{_printable(text[0])}”"
        for encoding, decode in _OF_BYTES.items()
        if (text := _decode_sample([value], decode)) is not None
    )
    return AmbiguousInput(
        f"{column_label}: không rõ bảng mã, hãy khai báo bằng --encoding / "
        f"its encoding is not certain, give it with --encoding. {readings}"
    )


def _is_utf_16_without_mark(content: bytes) -> bool:
    odd = content[1:400:2]
    return len(odd) > 4 and odd.count(0) > 0.8 * len(odd)
