"""Vietnamese text: normal form for storage (NFC), key for search, numbers, hidden contacts."""

import re
import unicodedata
from typing import Any

_SPACES = re.compile(r"\s+")

_VIETNAMESE = str.maketrans(",.", ".,")

HIDDEN = "[đã ẩn]"
_CONTACTS = re.compile(
    r"""
    [\w.+-]+@[\w-]+(?:\.[\w-]+)+                             # e-mail
    | (?<![\w.,])(?!\d{1,2}[.-]\d{1,2}[.-]\d{4}(?!\d))       # no day such as 03.09.2024
      (?:\+?84|\(?0)(?:[ .()-]{0,2}\d){8,11}(?!\d)           # telephone, identity card
    | (?<!\w)\d{2}[ -]?[A-ZĐ]{1,2}\d?[ .-]{0,2}\d{3}\.?\d{1,2}(?!\w)  # number plate
    """,
    re.VERBOSE | re.IGNORECASE,
)


def nfc(text: str) -> str:
    """Normalised to NFC, with runs of white space folded to one blank and ends trimmed."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def composed(value: Any) -> Any:
    """A JSON value whose texts, names of members too, are in NFC; blanks stay as they are."""
    result = [value]
    todo: list[tuple[Any, Any]] = [(result, 0)]  # no recursion: clients nest as deep as they like
    while todo:
        holder, key = todo.pop()
        match holder[key]:
            case str(text):
                holder[key] = unicodedata.normalize("NFC", text)
            case dict(members):
                copy = {composed(name): member for name, member in members.items()}
                holder[key] = copy
                todo += [(copy, name) for name in copy]
            case list(members):
                holder[key] = list(members)
                todo += [(holder[key], index) for index in range(len(members))]
    return result[0]


def number_vi(value: float, digits: int = 0, *, trim: bool = False) -> str:
    """A number in Vietnamese notation: 29.655,12; see `number_en`."""
    return number_en(value, digits, trim=trim).translate(_VIETNAMESE)


def number_en(value: float, digits: int = 0, *, trim: bool = False) -> str:
    """A number in English notation, with so many digits after the point: 29,655.12.

    `trim`: without zeros at its end.
    """
    number = f"{value:,.{digits}f}"
    return number.rstrip("0").rstrip(".") if trim and digits else number


def fault_words(message: str) -> str:
    """A message of pydantic without the name of a Python error before it."""
    return message.removeprefix("Value error, ")


def without_diacritics(text: str) -> str:
    """The letters alone: `Đồn Đạc` → `Don Dac`; case is kept."""
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def search_key(text: str) -> str:
    """The key of a name for search: lower case, no diacritics, single blanks."""
    return nfc(without_diacritics(text)).casefold()


def without_contacts(text: str) -> str:
    """The text with e-mail addresses, telephone, identity and plate numbers as [đã ẩn].

    Names and addresses cannot be told from other words, and stay.
    """
    return _CONTACTS.sub(HIDDEN, text)
