"""Bytes of the old Vietnamese encodings → letters; the bytes come as ISO-8859-1 text.

The tables are those of viparse; VNI is completed from the layout of VNI-Windows with what
viparse has not met (ẳ, ỵ, and a capital with a small mark).
"""

import re
import unicodedata
from collections.abc import Mapping

from viparse.normalize.encodings import CHARMAPS

_TCVN3 = str.maketrans(dict(CHARMAPS["tcvn3"].pairs))
_VISCII = str.maketrans(dict(CHARMAPS["viscii"].pairs))
_MORE_VNI = {"aú": "ẳ", "AÚ": "Ẳ", "î": "ỵ", "Î": "Ỵ"}
_CAPITALS = frozenset("ĂÂÊÔƠƯĐ")  # the only capitals beyond ASCII that TCVN3 has
_WORD = re.compile(r"[^\W\d_]+")


def _vni() -> dict[str, str]:
    pairs = {**dict(CHARMAPS["vni"].pairs), **_MORE_VNI}
    small_marks = {
        old[0] + old[1:].lower(): new
        for old, new in pairs.items()
        if len(old) == 2 and new.isupper()
    }
    return {**small_marks, **pairs}


_VNI = _vni()
_VNI_FORMS = re.compile("|".join(sorted(map(re.escape, _VNI), key=len, reverse=True)))


def from_tcvn3(text: str) -> str:
    return text.translate(_TCVN3)


def from_viscii(text: str) -> str:
    return text.translate(_VISCII)


def from_vni(text: str) -> str:
    return _VNI_FORMS.sub(lambda match: _VNI[match[0]], text)


def from_windows_1258(text: str) -> str:
    """Raises UnicodeDecodeError for bytes that the code page does not have."""
    return unicodedata.normalize("NFC", text.encode("iso-8859-1").decode("cp1258"))


def restore_case(texts: Mapping[str, str]) -> dict[str, str]:
    """Capitals that TCVN3 cannot write, as far as the other letters of the column tell.

    In a word of a text in capitals (`THắNG`) the letter is a capital; at the start of a word
    (`ấm Thượng`) it is one where the words of the column start with capitals.
    """
    words = [word for text in texts.values() for word in _WORD.findall(text) if _tells(word[0])]
    titled = sum(word[0].isupper() for word in words) >= 0.95 * len(words) if words else False
    return {value: _cased(text, titled) for value, text in texts.items()}


def _cased(text: str, titled: bool) -> str:
    telling = [char for char in text if char.isalpha() and _tells(char)]
    in_capitals = any(_in_capitals(word) for word in _WORD.findall(text))
    if in_capitals and all(char.isupper() for char in telling):
        return text.upper()
    return _WORD.sub(lambda match: match[0][0].upper() + match[0][1:], text) if titled else text


def _in_capitals(word: str) -> bool:
    return sum(char.isupper() for char in word) > 1


def _tells(char: str) -> bool:
    """Whether TCVN3 has both cases of a letter."""
    return char.upper() in _CAPITALS or char.isascii()
