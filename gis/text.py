"""Vietnamese text as it is stored (NFC) and as it is searched (no case, no diacritics)."""

import re
import unicodedata

_SPACES = re.compile(r"\s+")


def nfc(text: str) -> str:
    """Normalised to NFC, with runs of white space folded to one blank and ends trimmed."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def without_diacritics(text: str) -> str:
    """The letters alone: `Đồn Đạc` → `Don Dac`; case is kept."""
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def search_key(text: str) -> str:
    """What two spellings of one name have in common: lower case, no diacritics, single blanks."""
    return nfc(without_diacritics(text)).casefold()
