"""Character maps of the old Vietnamese encodings; bytes are given as ISO-8859-1 text.

The tables are those of viparse; VNI is completed from the layout of VNI-Windows with letters that
viparse lacks (ẳ, ỵ, and a capital with a small mark).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from viparse.normalize.encodings import CHARMAPS

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


def restore_case(texts: Mapping[str, str]) -> dict[str, str]:
    """Restore capitals that TCVN3 cannot write, by the other letters of the column.

    In a column of texts in capitals (`THắNG`) the letter is a capital; at the start of a word
    (`ấm Thượng`) it is one where most words of the column start with capitals, as names do, and
    at the start of a value where values start with capitals.
    """
    words = [_WORD.findall(text) for text in list(texts.values())[:_SAMPLE]]
    names = _share_of_capitals(word for each in words for word in each) >= 0.6
    sentences = _share_of_capitals(each[0] for each in words if each) >= 0.9
    if sum(map(_in_capitals, texts.values())) >= 0.5 * len(texts):
        return {
            value: text.upper() if _in_capitals(text) else text for value, text in texts.items()
        }
    start = _WORD_START if names else _TEXT_START if sentences else None
    if start is None:
        return dict(texts)
    return {value: start.sub(_upper, text) for value, text in texts.items()}


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
