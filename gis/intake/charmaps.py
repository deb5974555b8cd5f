"""Bytes of the old Vietnamese encodings → letters; the bytes come as ISO-8859-1 text.

The tables are those of viparse; VNI is completed from the layout of VNI-Windows with what
viparse has not met (ẳ, ỵ, and a capital with a small mark).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

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

    In a column of texts in capitals (`THắNG`) the letter is a capital; at the start of a word
    (`ấm Thượng`) it is one where most words of the column start with capitals, as names do, and
    at the start of a value where values start with capitals.
    """
    words = [_WORD.findall(text) for text in texts.values()]
    names = _share_of_capitals(word for each in words for word in each) >= 0.6
    sentences = _share_of_capitals(each[0] for each in words if each) >= 0.9
    if sum(map(_in_capitals, texts.values())) >= 0.5 * len(texts):
        return {
            value: text.upper() if _in_capitals(text) else text for value, text in texts.items()
        }
    return {value: _cased(text, names, sentences) for value, text in texts.items()}


def _share_of_capitals(words: Iterable[str]) -> float:
    telling = [word for word in words if _tells(word[0])]
    return sum(word[0].isupper() for word in telling) / len(telling) if telling else 0


def _cased(text: str, names: bool, sentences: bool) -> str:
    if names:
        return _WORD.sub(lambda match: _capitalised(match[0]), text)
    return _WORD.sub(lambda match: _capitalised(match[0]), text, count=1) if sentences else text


def _capitalised(word: str) -> str:
    return word if _tells(word[0]) else word[0].upper() + word[1:]


def _in_capitals(text: str) -> bool:
    """All letters that tell are capitals, and in a word there are two of them or more."""
    telling = [char for char in text if char.isalpha() and _tells(char)]
    if not telling or not all(char.isupper() for char in telling):
        return False
    return any(sum(map(str.isupper, word)) > 1 for word in _WORD.findall(text))


def _tells(char: str) -> bool:
    """Whether TCVN3 has both cases of a letter."""
    return char.upper() in _CAPITALS or char.isascii()
