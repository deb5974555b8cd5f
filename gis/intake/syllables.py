"""Test for Vietnamese syllables: the evidence for or against a reading of bytes.

A syllable is an onset, a rhyme and at most one tone; a rhyme that ends in a stop admits only the
tones sắc and nặng. After the tables of Đoàn Thiện Thuật, Ngữ âm tiếng Việt (1977), with the
finals and clusters that names of the highlands add (Đắk, Krông).
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_TONES = {"\u0300", "\u0301", "\u0303", "\u0309", "\u0323"}
_STOP_TONES = {"", "\u0301", "\u0323"}
_ONSETS = (
    "b c ch d đ g gh gi h k kh l m n ng ngh nh p ph q qu r s t th tr v x br bl dr đr gr kl kr "
    "pl pr tl f j w z"
)
_RHYMES = (
    "a ai am an ang anh ao au ay ăm ăn ăng âm ân âng âu ây e em en eng eo ê êm ên êng ênh êu i "
    "ia im in inh iu iêm iên iêng iêu o oa oai oam oan oang oanh oao oay oăm oăn oăng oe oen "
    "oeo oi om on ong oong ô ôi ôm ôn ông ơ ơi ơm ơn ơng u ua ui um un ung uân uâng uây uê uên "
    "uênh uơ uy uya uynh uyên uyu uôi uôm uôn uông ư ưa ưi ưm ưn ưng ưu ươ ươi ươm ươn ương ươu "
    "y ea"
)
_STOPPED_RHYMES = (
    "ac ach ap at ăc ăp ăt âc âp ât ec ep et êch êc êp êt ich ip it iêc iêp iêt oac oach oap "
    "oat oăc oăt oet oc ooc op ot ôc ôp ôt ơp ơt ơc uc up ut uât uêch uêt uych uyêt uyp uyt uôc "
    "uôt uôp ưc ưp ưt ươc ươp ươt ak ăk âk ek êk ik ok ôk ơk uk ưk iêk uôk ươk"
)
_Y_RHYMES, _Y_STOPPED = "ynh yên yêm yêng yêu ya yu", "ych yt yêt yêc"  # after qu, or alone
# Words end at ASCII signs, but not at the control characters that are letters in VISCII.
_SPLIT = re.compile(
    r"[\x00\x01\x03\x04\x07-\x13\x15-\x18\x1a-\x1d\x1f-\x40\x5b-\x60\x7b-\x7f\u2000-\u206f]+"
)
_BEFORE, _AFTER = "°±«·×¿¡\u00a0", "²³º»\u00a0"  # signs that stand beside words
_LETTERS = frozenset(
    unicodedata.normalize("NFC", vowel + tone)
    for vowel in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"
    for tone in ("", *_TONES)
) | {"đ", "Đ"}


def _pattern(rhymes: str, y_rhymes: str) -> re.Pattern[str]:
    onsets = "|".join(sorted(_ONSETS.split(), key=len, reverse=True))
    after_qu = "|".join(y_rhymes.split())
    return re.compile(rf"(?:{onsets})?(?:{'|'.join(rhymes.split())})|(?:qu?)?(?:{after_qu})")


_OPEN, _STOP = _pattern(_RHYMES, _Y_RHYMES), _pattern(_STOPPED_RHYMES, _Y_STOPPED)


@lru_cache(maxsize=2**16)
def is_syllable(word: str) -> bool:
    """True where a word, in any case and normal form, can be a Vietnamese syllable."""
    letters = unicodedata.normalize("NFD", word.lower())
    tones = [char for char in letters if char in _TONES]
    if len(tones) > 1:
        return False
    tone = tones[0] if tones else ""
    bare = unicodedata.normalize("NFC", letters.replace(tone, "") if tone else letters)
    if _OPEN.fullmatch(bare):
        return True
    return tone in _STOP_TONES and _STOP.fullmatch(bare) is not None


def words_beyond_ascii(text: str) -> list[str]:
    """The words of a text that are not plain ASCII, without the signs that stand beside them."""
    words = (word.lstrip(_BEFORE).rstrip(_AFTER) for word in _SPLIT.split(text))
    return [word for word in words if word and not word.isascii()]


def share_of_syllables(texts: Iterable[str]) -> float | None:
    """Share (0–1) of the words beyond ASCII that can be Vietnamese syllables; None without any."""
    words = [word for text in texts for word in words_beyond_ascii(text)]
    return sum(map(is_syllable, words)) / len(words) if words else None


def is_foreign(word: str) -> bool:
    """True where a word has a character beyond ASCII that is no Vietnamese letter."""
    normal = unicodedata.normalize("NFC", word)
    return any(not char.isascii() and char not in _LETTERS for char in normal)
