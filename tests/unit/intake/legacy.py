"""Unicode → bytes of the old encodings, written from their layouts for the tests.

VISCII: RFC 1456. TCVN3: TCVN 5712:1993 (VN3). VNI-Windows: a letter, then a mark.
"""

import unicodedata

_TONES = "\u0300\u0301\u0309\u0303\u0323"  # huyền sắc hỏi ngã nặng
_TCVN3_TONED = {
    "a": "µ¸¶·¹", "ă": "»¾¼½Æ", "â": "ÇÊÈÉË", "e": "ÌÐÎÏÑ", "ê": "ÒÕÓÔÖ", "i": "×ÝØÜÞ",
    "o": "ßãáâä", "ô": "åèæçé", "ơ": "êíëìî", "u": "ïóñòô", "ư": "õøö÷ù", "y": "úýûüþ",
}  # fmt: skip
_TCVN3_PLAIN = dict(zip("ĂÂÊÔƠƯĐăâêôơưđ", "¡¢£¤¥¦§¨©ª«¬\u00ad®", strict=True))
_VISCII = {
    0x02: "Ẳ", 0x05: "Ẵ", 0x06: "Ẫ", 0x14: "Ỷ", 0x19: "Ỹ", 0x1E: "Ỵ",
    **dict(enumerate("ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲÕắằặấầẩậẽẹếềểễệốồổỗỠƠộờởịỰỨỪỬơớƯ", 0x80)),
    **dict(enumerate("ÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳĐứÒÓÔạỷừửÙÚỹỵÝỡưàáâãảăữẫèéêẻìíĩỉđựòóôõỏọụùúũủýợỮ", 0xC0)),
}  # fmt: skip
_VNI_MARKS = {"\u0300": "ø", "\u0301": "ù", "\u0309": "û", "\u0303": "õ", "\u0323": "ï"}
_VNI_HAT = {"\u0300": "à", "\u0301": "á", "\u0309": "å", "\u0303": "ã", "\u0323": "ä", "": "â"}
_VNI_BREVE = {"\u0300": "è", "\u0301": "é", "\u0309": "ú", "\u0303": "ü", "\u0323": "ë", "": "ê"}
_VNI_ALONE = {"ị": "ò", "ỉ": "æ", "ĩ": "ó", "ỵ": "î", "đ": "ñ"}


def _parts(letter: str) -> tuple[str, str]:
    """A letter without its tone, and the tone."""
    marks = unicodedata.normalize("NFD", letter)
    tone = next((mark for mark in marks if mark in _TONES), "")
    return unicodedata.normalize("NFC", marks.replace(tone, "")), tone


def to_tcvn3(text: str) -> bytes:
    """Capitals with a tone become small letters: TCVN3 has no others."""
    return "".join(map(_tcvn3, text)).encode("iso-8859-1")


def _tcvn3(letter: str) -> str:
    base, tone = _parts(letter)
    if tone:
        return _TCVN3_TONED[base.lower()][_TONES.index(tone)]
    return _TCVN3_PLAIN.get(letter, letter)


def to_viscii(text: str) -> bytes:
    codes = {letter: code for code, letter in _VISCII.items()}
    return bytes(codes.get(letter, ord(letter)) for letter in text)


def to_vni(text: str) -> bytes:
    return "".join(map(_vni, text)).encode("iso-8859-1")


def _vni(letter: str) -> str:
    small, (base, tone) = letter.lower(), _parts(letter.lower())
    if small in _VNI_ALONE:
        written = _VNI_ALONE[small]
    elif base in "âêô":
        written = {"â": "a", "ê": "e", "ô": "o"}[base] + _VNI_HAT[tone]
    elif base == "ă":
        written = "a" + _VNI_BREVE[tone]
    else:
        mark = _VNI_MARKS[tone] if tone else ""
        written = {"ơ": "ô", "ư": "ö"}.get(base, base) + mark
    return written.upper() if letter != small else written


def to_windows_1258(text: str) -> bytes:
    """The letter, then the tone as a combining mark."""
    return "".join("".join(_parts(letter)) for letter in text).encode("cp1258")
