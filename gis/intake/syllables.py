"""Which words can be Vietnamese syllables: the evidence for or against a reading of bytes.

A syllable is an onset, a rhyme and at most one tone; a rhyme that ends in a stop admits only the
tones sắc and nặng. After the tables of Đoàn Thiện Thuật, Ngữ âm tiếng Việt (1977), with the
finals and clusters that names of the highlands add (Đắk, Krông).
"""

import re
import unicodedata
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
    "y ynh yên yêm yêng yêu ya yu ea"
)
_STOPPED = (
    "ac ach ap at ăc ăp ăt âc âp ât ec ep et êch êc êp êt ich ip it iêc iêp iêt oac oach oap "
    "oat oăc oăt oet oc ooc op ot ôc ôp ôt ơp ơt ơc uc up ut uât uêch uêt uych uyêt uyp uyt uôc "
    "uôt uôp ưc ưp ưt ươc ươp ươt ych yt yêt yêc ak ăk âk ek êk ik ok ôk ơk uk ưk iêk uôk ươk "
    "ap"
)


def _pattern(rhymes: str) -> re.Pattern[str]:
    onsets = "|".join(sorted(_ONSETS.split(), key=len, reverse=True))
    return re.compile(rf"(?:{onsets})?(?:{'|'.join(rhymes.split())})")


_OPEN, _STOP = _pattern(_RHYMES), _pattern(_STOPPED)


@lru_cache(maxsize=2**16)
def is_syllable(word: str) -> bool:
    """Whether a word, in any case and normal form, can be a Vietnamese syllable."""
    letters = unicodedata.normalize("NFD", word.lower())
    tones = [char for char in letters if char in _TONES]
    if len(tones) > 1:
        return False
    tone = tones[0] if tones else ""
    bare = unicodedata.normalize("NFC", letters.replace(tone, "") if tone else letters)
    if _OPEN.fullmatch(bare):
        return True
    return tone in _STOP_TONES and _STOP.fullmatch(bare) is not None
