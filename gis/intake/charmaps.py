"""Encodings of text, and character maps of the old Vietnamese ones; bytes are given as ISO-8859-1.

The tables are those of viparse; VNI is completed from the layout of VNI-Windows with letters that
viparse lacks (ẳ, ỵ, and a capital with a small mark).
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from viparse.normalize.encodings import CHARMAPS


class Encoding(StrEnum):
    """Encodings of text; the values are those of `--encoding`."""

    UTF_8 = "utf-8"
    TCVN3 = "tcvn3"
    VNI = "vni"
    VISCII = "viscii"
    WINDOWS_1258 = "windows-1258"
    WINDOWS_1252 = "windows-1252"
    MOJIBAKE = "mojibake"


_TCVN3 = str.maketrans(dict(CHARMAPS["tcvn3"].pairs))
_VISCII = str.maketrans(dict(CHARMAPS["viscii"].pairs))
_VNI_SUPPLEMENT = {"aú": "ẳ", "AÚ": "Ẳ", "î": "ỵ", "Î": "Ỵ"}
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZĂÂÊÔƠƯĐ"  # all that TCVN3 has
_SMALL_ONLY = "".join(letter for letter in _TCVN3.values() if letter.upper() not in _CAPITALS)
_WORD = re.compile(r"[^\W\d_]+")
_WORD_START = re.compile(rf"(?<![^\W\d_])[{_SMALL_ONLY}]")
_TEXT_START = re.compile(rf"^[\W\d_]*[{_SMALL_ONLY}]")
_SMALL = re.compile(f"[{_CAPITALS.lower()}]")
_TWO_CAPITALS = re.compile(rf"[{_CAPITALS}]\w*[{_CAPITALS}]")
_SAMPLE = 2000


def _vni_table() -> dict[str, str]:
    pairs = {**dict(CHARMAPS["vni"].pairs), **_VNI_SUPPLEMENT}
    small_marks = {
        legacy[0] + legacy[1:].lower(): letter
        for legacy, letter in pairs.items()
        if len(legacy) == 2 and letter.isupper()
    }
    return {**small_marks, **pairs}


_VNI = _vni_table()
_VNI_FORMS = re.compile("|".join(sorted(map(re.escape, _VNI), key=len, reverse=True)))


def from_tcvn3(text: str) -> str:
    return text.translate(_TCVN3)


def from_viscii(text: str) -> str:
    return text.translate(_VISCII)


def from_vni(text: str) -> str:
    return _VNI_FORMS.sub(lambda match: _VNI[match[0]], text)


def from_windows_1258(text: str) -> str:
    """Text in NFC; raises UnicodeDecodeError for bytes that the code page does not have."""
    return unicodedata.normalize("NFC", text.encode("iso-8859-1").decode("cp1258"))


def from_windows_1252(text: str) -> str:
    """Text; raises UnicodeDecodeError for bytes that the code page does not have."""
    return text.encode("iso-8859-1").decode("cp1252")


LEGACY: dict[Encoding, Callable[[str], str]] = {
    Encoding.TCVN3: from_tcvn3,
    Encoding.VNI: from_vni,
    Encoding.VISCII: from_viscii,
    Encoding.WINDOWS_1258: from_windows_1258,
}
OF_BYTES = {**LEGACY, Encoding.WINDOWS_1252: from_windows_1252}


@dataclass(frozen=True, slots=True)
class CaseRule:
    """How capitals that TCVN3 cannot write are restored in a column.

    `capitals`: texts whose other letters are capitals are written in capitals; else the letters
    that `start` finds are.
    """

    capitals: bool = False
    start: re.Pattern[str] | None = None

    def restored(self, text: str) -> str:
        if self.capitals:
            return text.upper() if _in_capitals(text) else text
        return text if self.start is None else self.start.sub(_upper, text)


AS_WRITTEN = CaseRule()


def case_rule(texts: Collection[str]) -> CaseRule:
    """The rule that the other letters of a column of TCVN3 give.

    In a column of texts in capitals (`THắNG`) the letter is a capital; at the start of a word
    (`ấm Thượng`) it is one where most words of the column start with capitals, as names do, and
    at the start of a value where values start with capitals.
    """
    words = [_WORD.findall(text) for text in list(texts)[:_SAMPLE]]
    names = _share_of_capitals(word for each in words for word in each) >= 0.6
    sentences = _share_of_capitals(each[0] for each in words if each) >= 0.9
    if sum(map(_in_capitals, texts)) >= 0.5 * len(texts):
        return CaseRule(capitals=True)
    return CaseRule(start=_WORD_START if names else _TEXT_START if sentences else None)


def _share_of_capitals(words: Iterable[str]) -> float:
    telling = [word for word in words if word[0].upper() in _CAPITALS]
    return sum(word[0].isupper() for word in telling) / len(telling) if telling else 0


def _upper(match: re.Match[str]) -> str:
    return match[0].upper()


def _in_capitals(text: str) -> bool:
    """True where a text is written in capitals: all letters that TCVN3 has in both cases.

    A word must have two of them: one capital alone begins a name.
    """
    return _SMALL.search(text) is None and _TWO_CAPITALS.search(text) is not None
