"""Conversion of a column to Unicode, as all its values decide together, and the evidence for it.

One value says too little: `§µ` can be many things. A whole column says enough, because under the
right reading nearly all its words are Vietnamese syllables, and under a wrong one few are. Of a
long column a bounded number of values, evenly spread, is the evidence.
"""

import re
import unicodedata
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import ftfy.bad_codecs  # noqa: F401  registers sloppy-windows-1252

from gis.errors import BadFile
from gis.intake.charmaps import AS_WRITTEN, LEGACY, OF_BYTES, CaseRule, Encoding, case_rule
from gis.intake.mojibake import is_proof, repaired
from gis.intake.syllables import is_foreign, share_of_syllables, words_beyond_ascii

SAMPLE = 2000
# Shares of the words that are Vietnamese syllables, by which a reading is chosen: at least so many
# under the reading; so many more than in the text itself, where that is Unicode already; and so
# many more than under the next reading that gives another text.
MIN_SYLLABLE_SHARE = 0.8
MIN_IMPROVEMENT = 0.2
MIN_LEAD = 0.1
_CONTROL_LETTERS = re.compile(r"[\x02\x05\x06\x14\x19\x1e]")  # Ẳ Ẵ Ẫ Ỷ Ỹ Ỵ in VISCII
# Of the values of a column that are kept as evidence: of all, and of those that are rare but tell.
_KEPT, _KEPT_RARE = 4_000, 200
_KEPT_CHARACTERS = 2_000  # of a value
_LOOKED_AT = 500  # values of a part of a column that is text already


@dataclass(frozen=True, slots=True)
class Conversion:
    """How the values of a column become Unicode; `encoding` None: its values do not say.

    `decoded` False: each character of a value is a byte. `utf_8`: bytes that are UTF-8 are read as
    such. `of_bytes`: what `encoding` converts are bytes, else text whose letters may have been
    bytes; of such text, values that are Vietnamese as they stand stay where `only_doubtful`.
    """

    decoded: bool
    utf_8: bool = False
    of_bytes: bool = False
    encoding: Encoding | None = Encoding.UTF_8
    only_doubtful: bool = False
    case: CaseRule = AS_WRITTEN

    def texts(self, values: Iterable[str]) -> dict[str, tuple[str, str]]:
        """By value beyond ASCII, its text as it was given and as it is converted, both in NFC.

        Raises BadFile for a byte that the encoding does not have.
        """
        given = {v: self._given(v) for v in set(values) if is_odd(v, decoded=self.decoded)}
        rest = [text for value, text in given.items() if self._is_converted(value, text)]
        after = _converted(self, rest)
        return {
            value: (text, unicodedata.normalize("NFC", self.case.restored(after[text])))
            if text in after
            else (text, unicodedata.normalize("NFC", text))
            for value, text in given.items()
        }

    def _given(self, value: str) -> str:
        return (utf_8_text(value) or value) if self.utf_8 else value

    def _is_converted(self, value: str, text: str) -> bool:
        """False for bytes of UTF-8 among others: they are text already."""
        return not (self.utf_8 and self.of_bytes) or text == value


def is_odd(value: str, *, decoded: bool) -> bool:
    """True for a value beyond ASCII, or with control characters that are letters of VISCII."""
    if not value.isascii():
        return True
    return not decoded and _CONTROL_LETTERS.search(value) is not None


def utf_8_text(value: str) -> str | None:
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


def conversion_of(odd: list[str], chosen: Encoding | None, *, decoded: bool) -> Conversion:
    """The conversion that a column's values beyond ASCII decide; `odd` are distinct and sorted.

    `chosen` is what a person says.
    """
    if not odd:
        return Conversion(decoded)
    utf_8 = False
    if not decoded:
        texts = {value: utf_8_text(value) for value in odd}
        unread = [value for value, text in texts.items() if text is None]
        utf_8 = 2 * len(unread) <= len(odd)
        if unread or not utf_8:
            rest = unread if utf_8 else odd
            encoding = _best(_sample(rest), OF_BYTES, chosen)
            found = Conversion(decoded, utf_8, of_bytes=True, encoding=encoding)
            return with_case(found, rest)
        odd = sorted(text for text in texts.values() if text is not None)
    return replace(_of_text(odd, chosen), decoded=decoded, utf_8=utf_8)


def with_case(conversion: Conversion, values: Collection[str]) -> Conversion:
    """The conversion with the rule for capitals, of TCVN3; raises as `texts`."""
    if conversion.encoding is not Encoding.TCVN3:
        return conversion
    texts = _converted(conversion, values).values()
    return replace(conversion, case=case_rule(texts)) if texts else conversion


def unread_of(odd: list[str], conversion: Conversion) -> list[str]:
    """The values that a conversion of no encoding is asked about."""
    return [v for v in odd if not conversion.utf_8 or utf_8_text(v) is None]


def _of_text(odd: list[str], chosen: Encoding | None) -> Conversion:
    """The conversion of Unicode text whose letters may have been bytes of another encoding."""
    plain = Conversion(decoded=True)
    doubtful = [value for value in odd if _is_doubtful(value)]
    if not doubtful or chosen is Encoding.UTF_8:
        return plain
    if any(map(is_proof, doubtful)):
        return replace(plain, encoding=Encoding.MOJIBAKE)
    surfaces = {value: surface for value in odd if (surface := _original_bytes(value)) is not None}
    encoding = None
    if chosen is not Encoding.MOJIBAKE:
        encoding = _best(_sample(list(surfaces.values())), LEGACY, chosen)
    if encoding not in LEGACY or not (chosen or _is_better(list(surfaces), encoding)):
        return plain
    mixed = len(surfaces) < len(odd)
    return with_case(replace(plain, encoding=encoding, only_doubtful=mixed), odd)


def _is_doubtful(value: str) -> bool:
    return share_of_syllables([value]) not in (None, 1.0)


def _is_better(values: list[str], encoding: Encoding) -> bool:
    """True where Unicode text was clearly written in this encoding.

    It has characters that are no Vietnamese letters, and the encoding makes syllables of them.
    """
    if not any(is_foreign(word) for value in values for word in words_beyond_ascii(value)):
        return False
    sample = _sample(values)
    share_before = share_of_syllables(sample) or 0
    share_after = (
        share_of_syllables(LEGACY[encoding](_original_bytes(value) or value) for value in sample)
        or 0
    )
    return share_after - share_before >= MIN_IMPROVEMENT


def _converted(conversion: Conversion, values: Iterable[str]) -> dict[str, str]:
    """The values that an encoding converts, with their texts."""
    encoding = conversion.encoding
    if conversion.of_bytes and encoding is not None:
        return _of_bytes(values, encoding)
    if encoding is Encoding.MOJIBAKE:
        texts = {value: repaired(value) for value in values}
        return {value: text for value, text in texts.items() if text is not None}
    if encoding not in LEGACY:
        return {}
    decode = LEGACY[encoding]
    surfaces = {value: _original_bytes(value) for value in values}
    return {
        value: decode(surface)
        for value, surface in surfaces.items()
        if surface is not None and not (conversion.only_doubtful and not _is_doubtful(value))
    }


def _of_bytes(values: Iterable[str], encoding: Encoding) -> dict[str, str]:
    decode = OF_BYTES[encoding]
    try:
        return {value: decode(value) for value in values}
    except UnicodeDecodeError as error:
        raise BadFile(
            f"byte 0x{error.object[error.start]:02x} không có trong {encoding}; hãy xem lại "
            f"--encoding / is not in {encoding}; check --encoding"
        ) from None


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
    texts = {encoding: read_all(sample, decode) for encoding, decode in readings.items()}
    plain = texts.get(Encoding.WINDOWS_1252)
    if plain is not None and share_of_syllables(plain) is None:
        return Encoding.WINDOWS_1252  # signs alone, such as ° and ²
    shares = {e: share_of_syllables(t) or 0 for e, t in texts.items() if t is not None}
    best = max(shares, key=lambda encoding: shares[encoding])
    rivals = [shares[e] for e in shares if texts[e] != texts[best]]
    clear = shares[best] >= MIN_SYLLABLE_SHARE and shares[best] - max(rivals, default=0) >= MIN_LEAD
    return best if clear else None


def read_all(values: list[str], decode: Callable[[str], str]) -> list[str] | None:
    """Texts of bytes; None where the encoding does not have one of them."""
    try:
        return [decode(value) for value in values]
    except UnicodeDecodeError:
        return None


@dataclass
class _Sketch:
    """At most about `most` different values, evenly spread over all that were added.

    Those with the least checksums are kept, so that neither order nor repetition matters
    (Cohen & Kaplan 2007, Summarizing data using bottom-k sketches).
    """

    most: int
    values: dict[str, int] = field(default_factory=dict)
    limit: int = 2**32

    def add(self, values: Iterable[str]) -> None:
        for value in values:
            checksum = zlib.crc32(value.encode())
            if checksum < self.limit:
                self.values[value[:_KEPT_CHARACTERS]] = checksum
        if len(self.values) > 2 * self.most:
            self._trim()

    def _trim(self) -> None:
        least = sorted(self.values.items(), key=lambda pair: pair[1])[: self.most]
        self.values = dict(least)
        self.limit = least[-1][1] + 1


@dataclass
class ColumnEvidence:
    """Values of a column that decide its conversion, a bounded number of any number.

    Of bytes, those that are no UTF-8 are kept apart, and of text those that are doubtful, so that
    rare ones are not lost among the others.
    """

    decoded: bool
    usual: _Sketch = field(default_factory=lambda: _Sketch(_KEPT))
    rare: _Sketch = field(default_factory=lambda: _Sketch(_KEPT_RARE))

    def add(self, values: Collection[str]) -> None:
        """Of text a part is looked at, which is fast; of bytes each value counts."""
        odd = [value for value in set(values) if is_odd(value, decoded=self.decoded)]
        if self.decoded:
            odd = sorted(odd)[:: len(odd) // _LOOKED_AT + 1]
            rare = [value for value in odd if _is_doubtful(value)]
        else:
            rare = [value for value in odd if utf_8_text(value) is None]
        self.usual.add(odd)
        self.rare.add(rare)

    @property
    def odd(self) -> list[str]:
        return sorted({**self.usual.values, **self.rare.values})
