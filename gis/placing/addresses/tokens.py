"""Tokens of address text: normalised words, marks apart from letters, with the pauses between.

A key is common to all spellings of a name: lower case, no diacritics, `i` for `y`, no blanks. Tone
marks may sit on any vowel of a syllable ("hoà", "hòa"), so a word's marks are stored as (letters
with their own marks, sequence of tones).
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_TONES = "\u0300\u0301\u0303\u0309\u0323"
_WORD = re.compile(r"([\s\W_]*)([^\W\d_]+|\d+)")
_DOTTED = re.compile(r"\b([Tt])\s?\.\s?([PpXxTt])\b\.?")
_HARD = set(',;:\n\r|/()[]{}\\•·…?!"“”«»=+*<>')
_LETTERS = {
    ord("đ"): "d", ord("ð"): "d", ord("ɖ"): "d", ord("Ð"): "Đ", ord("Ɖ"): "Đ",
    # Look-alikes of other alphabets.
    **{ord(odd): plain for odd, plain in zip("аеорсухіАЕОРСУХІВНКМТ", "aeopcyxiAEOPCYXIBHKMT",
                                             strict=True)},
}  # fmt: skip
_MARKED = (*range(0xC0, 0xD7), *range(0xD8, 0xF7), *range(0xF8, 0x250), *range(0x1E00, 0x1F00))
_ODD = {
    **{code: plain for code, plain in _LETTERS.items() if code != ord("đ")},
    **dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD]),
    ord("&"): " va ",
    0x2010: "-", 0x2011: "-", 0x2013: " - ", 0x2014: " - ", 0x2212: "-",
    0x0340: "\u0300", 0x0341: "\u0301",
}  # fmt: skip


_ANY_ODD = re.compile("[" + "".join(re.escape(chr(code)) for code in _ODD) + "]")
_DASH = re.compile(r"\s+-+\s*|-+\s+")
_PAUSES = re.compile("[" + re.escape("".join(sorted(_HARD))) + "]")


@dataclass(frozen=True, slots=True)
class Syllable:
    """A word: its key, its letters with the marks that are not tones, its tones."""

    key: str
    letters: str
    tones: str
    text: str  # lower case, NFC
    marked: bool  # written with any diacritic


@dataclass(frozen=True, slots=True)
class Token:
    """A word in its place. `pause` before it: 0 none, 1 soft (dot, hyphen), 2 hard (comma …),
    3 hard, a dash."""

    word: Syllable
    pause: int
    dotted: bool  # a full stop follows: an abbreviation


def clean(text: str) -> str:
    """NFC with odd characters (zero width, look-alikes, long dashes) made plain."""
    composed = unicodedata.normalize("NFKC", text)
    if _ANY_ODD.search(composed):
        composed = unicodedata.normalize("NFC", composed.translate(_ODD))
    return _DOTTED.sub(r"\1\2 ", composed) if "." in composed else composed


def segments(text: str) -> tuple[str, ...]:
    """The parts of a text between hard pauses (commas, brackets, dashes between blanks), cleaned.

    In lower case, unless capitals show where words written together begin. A part after a dash
    begins with it.
    """
    plain = clean(text)
    if not _HUMP.search(plain):
        plain = plain.lower()
    if "-" in plain:
        plain = _DASH.sub(",-", plain)
    return tuple([part for part in _PAUSES.split(plain) if part and not part.isspace()])


@lru_cache(maxsize=1 << 16)
def syllable(text: str) -> Syllable:
    """The word with its marks apart: `Hoà` and `Hòa` are equal, `Hoa` is not."""
    lower = text.lower()
    if lower.isascii():
        key = lower.lstrip("0") or "0" if lower.isdigit() else lower.replace("y", "i")
        return Syllable(key, key, "", lower, False)
    composed = unicodedata.normalize("NFC", lower)
    parts = [_LETTER_OF.get(char) or (char, char, "") for char in composed]
    letters = "".join([part[0] for part in parts])
    key = "".join([part[1] for part in parts])
    tones = "".join([part[2] for part in parts])
    return Syllable(key, letters, tones, composed, bool(tones) or letters != key)


def _apart(char: str) -> tuple[str, str, str]:
    """A letter with its own mark, without any, and its tone: `ấ` → â, a, acute."""
    parts = unicodedata.normalize("NFD", char)
    tone = "".join(mark for mark in parts if mark in _TONES)
    letter = unicodedata.normalize("NFC", "".join(c for c in parts if c not in _TONES))
    plain = unicodedata.normalize("NFD", letter.translate(_LETTERS))[0]
    return letter.replace("y", "i"), plain.replace("y", "i"), tone


_SMALL = "a-z" + "".join(sorted(char for char in map(chr, _MARKED) if char.islower()))
_GREAT = "A-Z" + "".join(sorted(char for char in map(chr, _MARKED) if char.isupper()))
_HUMP = re.compile(f"[{_SMALL}][{_GREAT}]|[{_GREAT}]{{2}}[{_SMALL}]")

# Every Latin letter with diacritics, and what has no blank between: y is i.
_LETTER_OF = {chr(code): _apart(chr(code)) for code in (ord("y"), *_MARKED) if chr(code).islower()}


def key_of(name: str) -> str:
    """The key of a whole name: `Ô Quý Hồ` → `oquiho`."""
    return "".join(token.word.key for token in words(name))


def marks_of(name: str) -> tuple[str, str]:
    """Letters and tones of a whole name, to tell `Sa Pả` from `Sa Pa`."""
    tokens = words(name)
    return "".join(t.word.letters for t in tokens), "".join(t.word.tones for t in tokens)


def words(text: str) -> list[Token]:
    """The words of a text in order; no word is lost, punctuation becomes pauses."""
    return words_of_clean(clean(text))


def words_of_clean(text: str) -> list[Token]:
    matches = _WORD.findall(text)
    last = len(matches) - 1
    tokens: list[Token] = []
    for i, (gap, word) in enumerate(matches):
        tokens += _tokens(gap, word, i < last and matches[i + 1][0].startswith("."))
    return tokens


@lru_cache(maxsize=1 << 16)
def _tokens(gap: str, word: str, dotted: bool) -> tuple[Token, ...]:
    if len(word) > 2 and not (word.islower() or word.isupper() or word.istitle()):
        return tuple(_humps(word, gap, dotted))
    return (Token(syllable(word), _pause(gap), dotted),)


@lru_cache(maxsize=4096)
def _pause(gap: str) -> int:
    if not gap or gap == " ":
        return 0
    if not _HARD.isdisjoint(gap) or ("-" in gap and gap != "-") or "  -" in gap:
        return 2
    return 0 if gap.isspace() or gap == "'" else 1


def _humps(word: str, gap: str, dotted: bool) -> list[Token]:
    """`TPLàoCai` → TP, Lào, Cai: a capital after a small letter begins a word."""
    starts = [0]
    for i in range(1, len(word)):
        after_small = word[i].isupper() and word[i - 1].islower()
        before_small = word[i].isupper() and word[i + 1 : i + 2].islower()
        if after_small or (before_small and i - starts[-1] > 1):
            starts.append(i)
    if any(b - a < 2 for a, b in zip(starts, [*starts[1:], len(word)], strict=True)):
        starts = [0]  # a slip of the shift key: `aLo Cai`
    pieces = [word[a:b] for a, b in zip(starts, [*starts[1:], len(word)], strict=True)]
    last = len(pieces) - 1
    return [
        Token(syllable(piece), _pause(gap) if i == 0 else 0, dotted and i == last)
        for i, piece in enumerate(pieces)
    ]
