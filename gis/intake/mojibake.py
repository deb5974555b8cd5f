"""Repair of UTF-8 that was read as another encoding: `LÃ o Cai`, once `Lào Cai`.

The evidence is strong: the bytes of a wrong reading are valid UTF-8 only by a rare chance. Where
one value of a column proves it, the others that decode are repaired too.
"""

import re

import ftfy.bad_codecs  # noqa: F401  registers sloppy-windows-1252

from gis.intake.syllables import share_of_syllables

_READ_AS = ("sloppy-windows-1252", "iso-8859-1", "mac-roman")
_MAX_PASSES = 3  # how often a text may have been read wrongly
_LOST_SPACE = re.compile("Ã(?: |$)")  # à is Ã and a space that does not break, often replaced
MIN_SYLLABLE_SHARE = 0.8


def repaired(value: str) -> str | None:
    """The text of a value that was mis-decoded; None of one that was not."""
    return _repaired(value) or _with_lost_spaces(value)


def is_proof(value: str) -> bool:
    """True for a value that is Vietnamese only once it is repaired."""
    text = repaired(value)
    return text is not None and (share_of_syllables([text]) or 0) >= MIN_SYLLABLE_SHARE


def _repaired(value: str) -> str | None:
    """The text before it was mis-decoded, perhaps more than once; None where it was not."""
    text = None
    for _ in range(_MAX_PASSES):
        before = _decoded_again(value if text is None else text)
        if before is None:
            return text
        text = before
    return text


def _decoded_again(value: str) -> str | None:
    readings = [text for codec in _READ_AS if (text := _reading(value, codec)) is not None]
    return max(readings, key=lambda text: share_of_syllables([text]) or 0, default=None)


def _reading(value: str, codec: str) -> str | None:
    try:
        text = value.encode(codec).decode("utf-8")
    except UnicodeError:
        return None
    return text if text != value else None


def _with_lost_spaces(value: str) -> str | None:
    """The repaired text where the space after Ã became a plain one, or was trimmed away."""
    if not _LOST_SPACE.search(value):
        return None
    readings = [_repaired(_LOST_SPACE.sub(by, value)) for by in ("Ã\u00a0", "Ã\u00a0 ")]
    texts = [text.rstrip() for text in readings if text is not None]
    return max(texts, key=lambda text: share_of_syllables([text]) or 0, default=None)
