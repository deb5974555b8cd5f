"""Reader of addresses: finds the names of one province in the words of a text."""

from collections.abc import Sequence
from functools import lru_cache

from gis.boundaries.units import Level
from gis.placing.addresses.contexts import era_of, note_company, note_contexts
from gis.placing.addresses.mentions import Mention, MentionedNames, Spelling, Unresolved
from gis.placing.addresses.names import (
    Name,
    Names,
    OutsideUnit,
    Sense,
    is_one_letter_off,
    key_of_words,
)
from gis.placing.addresses.tokens import Syllable, Token, syllable, words_of_clean
from gis.placing.addresses.words import (
    COMPANY_WORDS,
    COUNTRY,
    ERA_WORDS,
    LANDMARKS,
    LEVEL_OF_KIND,
    NOISE,
    SPELT,
    TYPES,
    TYPES_AFTER,
    UnitType,
)

_MAX_NAME_WORDS = 6  # words
_MAX_TYPE_WORDS = 4
_NUMBERED = frozenset({"Phường", "Quận", "Xã"})  # may be called by a number
_LONG_WORD = 5  # letters; shorter words are never two words written together


class Reader:
    """Finds mentions with the names of one province."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._split = lru_cache(maxsize=1 << 14)(self._split_joined)
        self._words = lru_cache(maxsize=1 << 15)(self._read_words)
        self._piece = lru_cache(maxsize=1 << 15)(self._read_piece)

    def find(self, parts: tuple[str, ...]) -> MentionedNames:
        """All mentions in the parts of a text.

        Each part is read apart from the others and cached: districts and provinces recur in nearly
        every address.
        """
        mentioned = MentionedNames([], [], [], True in [self._words(part)[1] for part in parts])
        eras = company = False
        for part in parts:
            piece = self._piece(part, mentioned.marked)
            offset = len(mentioned.tokens)
            mentioned.tokens += piece.tokens
            mentioned.mentions += [mention.moved(offset) for mention in piece.mentions]
            mentioned.unresolved += [unresolved.moved(offset) for unresolved in piece.unresolved]
            eras = eras or piece.speaks_of_eras
            company = company or piece.speaks_of_company
        if eras:
            for mention in mentioned.mentions:
                mention.era = era_of(mentioned, mention)
        if company:
            mentioned.speaks_of_company = True
            note_company(mentioned)
        return mentioned

    def _read_words(self, part: str) -> tuple[list[Token], bool]:
        words = words_of_clean(part)
        pause = 3 if part.startswith("-") else 2
        beginning = [Token(token.word, pause, token.dotted) for token in words[:1]]
        tokens = self._apart([*beginning, *words[1:]])
        return tokens, any(token.word.marked for token in tokens)

    def _read_piece(self, part: str, marked: bool) -> MentionedNames:
        piece = MentionedNames(self._words(part)[0], [], [], marked)
        i = 0
        while i < len(piece.tokens):
            i = self._step(piece, i)
        note_contexts(piece)
        keys = [token.word.key for token in piece.tokens]
        piece.speaks_of_eras = not ERA_WORDS.isdisjoint(keys)
        piece.speaks_of_company = not COMPANY_WORDS.isdisjoint(keys)
        return piece

    def _step(self, mentioned: MentionedNames, i: int) -> int:
        """Reads what begins at word i; gives the word to go on from."""
        tokens = mentioned.tokens
        if tokens[i].word.key in COUNTRY or _is_country(tokens, i):
            return i + 1
        typed, name_at = _type_at(tokens, i)
        if typed is not None and not _is_cooperative(tokens, i):
            end = self._typed(mentioned, i, name_at, typed)
            if end is not None:
                return end
        return self._bare(mentioned, i)

    def _typed(
        self, mentioned: MentionedNames, i: int, name_at: int, typed: UnitType
    ) -> int | None:
        """Reads a type word and its name, known or not; None when it is the start of a name."""
        tokens = mentioned.tokens
        name, end = self._name(tokens, name_at, typed)
        bare, bare_end = self._name(tokens, i, None)
        if name is not None and end >= bare_end and not _is_cut_short(tokens, name, end):
            if self._add(mentioned, i, name_at, end, typed, name):
                return end
        elif bare is not None and not _is_type_rather(bare, tokens[i:bare_end]):
            return None
        return self._unknown(mentioned, i, name_at, typed)

    def _bare(self, mentioned: MentionedNames, i: int) -> int:
        """Reads a name without a type before it."""
        name, end = self._name(mentioned.tokens, i, None)
        if name is None:
            return self._misspelt_type(mentioned, i)
        after, last = _type_after(mentioned.tokens, end)
        if after is not None and not any(_fits(sense, after) for sense in name.senses):
            after, last = None, end
        if after is None and (name.mountain or _is_centre(mentioned.tokens, name, end)):
            return end
        if not self._add(mentioned, i, i, end, after, name, last):
            return i + 1
        return last if after else self._crossing(mentioned, i, end)

    def _crossing(self, mentioned: MentionedNames, start: int, end: int) -> int:
        """Reads a name that begins inside a bare one and ends after it too; the next word.

        `Minh Xuân Giao` has both Minh Xuân and Xuân Giao.
        """
        for i in range(start + 1, end):
            name, last = self._name(mentioned.tokens, i, None)
            if name is not None and name.senses and last > end:
                self._add(mentioned, i, i, last, None, name)
                return last
        return end

    def _misspelt_type(self, mentioned: MentionedNames, i: int) -> int:
        """Reads `thàn phố`, `tị xã`, `thị trấb` as types where a name of the kind follows."""
        typed = _nearly_type(mentioned.tokens, i)
        if typed is not None:
            name, end = self._name(mentioned.tokens, i + 2, typed)
            if name is not None:
                self._add(mentioned, i, i + 2, end, typed, name)
                return end
        return i + 1

    def _unknown(self, mentioned: MentionedNames, i: int, name_at: int, typed: UnitType) -> int:
        tokens = mentioned.tokens
        follows = name_at < len(tokens) and tokens[name_at].pause < 2
        dotted = tokens[name_at - 1].dotted
        if follows and tokens[name_at].word.key.isdigit() and not typed.kinds & _NUMBERED:
            return name_at  # `đường tỉnh 155`, `cách huyện 40 km`
        if follows and (typed.firm or dotted) and _type_at(tokens, name_at)[0] is None:
            key = tokens[i].word.key
            sure = key != "t" and (dotted or tokens[i].word.marked or key not in SPELT)
            mentioned.unresolved.append(Unresolved(i, name_at, typed, sure))
        return name_at

    def _name(
        self, tokens: list[Token], start: int, typed: UnitType | None
    ) -> tuple[Name | None, int]:
        """The longest name that begins at a word and may have this type."""
        by_key, beginnings = self.names.by_key, self.names.beginnings
        key, best, end = "", None, start
        for i in range(start, min(start + _MAX_NAME_WORDS, len(tokens))):
            if i > start and tokens[i].pause >= 2:
                break
            key += tokens[i].word.key
            if key not in beginnings:
                break
            name = by_key.get(key)
            if name is not None and _may_be(name, typed):
                best, end = name, i + 1
        return best, end

    def _add(
        self,
        mentioned: MentionedNames,
        start: int,
        name_at: int,
        end: int,
        typed: UnitType | None,
        name: Name,
        last: int | None = None,
    ) -> bool:
        """Adds a mention, unless its spelling rules out all that the name may mean."""
        words = [token.word for token in mentioned.tokens[name_at:end]]
        senses, spelling = _best_spelt(name.senses, words, mentioned.marked)
        if typed is not None:
            senses = tuple(sense for sense in senses if _fits(sense, typed))
        elif spelling is Spelling.MARKS_OFF:
            senses = tuple(sense for sense in senses if _has_seams(sense, words))
        abroad = tuple(unit for unit in name.abroad if _fits_abroad(unit, typed, words))
        if typed is None and not _stands_apart(mentioned.tokens, end):
            abroad = ()
        elif abroad and not senses:
            spelling = Spelling.EXACT
        elif typed is None and not name.senses and mentioned.tokens[start].pause >= 2:
            abroad = name.abroad  # `Quan Bạ` for Quản Bạ
        if not senses and not abroad:
            return False
        mention = Mention(start, name_at, last or end, typed, senses, abroad, spelling)
        mentioned.mentions.append(mention)
        return True

    def _apart(self, tokens: list[Token]) -> list[Token]:
        """Tokens with words that were written together split where names show the seams."""
        if all(len(token.word.key) < _LONG_WORD for token in tokens):
            return tokens
        apart: list[Token] = []
        for token in tokens:
            pieces = self._split(token.word.text) if len(token.word.key) >= _LONG_WORD else ()
            if len(pieces) < 2:
                apart.append(token)
                continue
            first, *others = pieces
            apart.append(Token(first, token.pause, False))
            apart += [Token(piece, 0, False) for piece in others]
        return apart

    def _split_joined(self, text: str) -> tuple[Syllable, ...]:
        key = syllable(text).key
        if len(key) != len(text) or key in self.names.by_key or key in TYPES or key in TYPES_AFTER:
            return ()
        if len(key) <= 7 and not _odd_syllable(key):
            return ()
        cuts = _cheapest_cuts(key, self.names)
        return (
            tuple(syllable(text[a:b]) for a, b in cuts) if all(b - a > 1 for a, b in cuts) else ()
        )


def _may_be(name: Name, typed: UnitType | None) -> bool:
    if typed is None:
        initials = len(name.key) <= 2 and not any(s.level is Level.PROVINCE for s in name.senses)
        return not name.key.isdigit() and not initials
    return any(_fits(sense, typed) for sense in name.senses) or any(
        _abroad_may_be(unit, typed) for unit in name.abroad
    )


def _fits(sense: Sense, typed: UnitType) -> bool:
    """True where the type word is one of this sense's level."""
    return sense.kind in typed.kinds or any(
        LEVEL_OF_KIND[kind] is sense.level for kind in typed.kinds
    )


def _abroad_may_be(unit: OutsideUnit, typed: UnitType) -> bool:
    levels = {LEVEL_OF_KIND[kind] for kind in typed.kinds}
    return unit.level in levels or ("Thành phố" in typed.kinds)


def _fits_abroad(unit: OutsideUnit, typed: UnitType | None, words: Sequence[Syllable]) -> bool:
    marks = "".join(w.letters for w in words), "".join(w.tones for w in words)
    spelt = marks == unit.marks or not any(word.marked for word in words)
    letters = sum(len(word.key) for word in words)
    if typed is not None:
        return spelt and _abroad_may_be(unit, typed)
    return spelt and (letters > 3 or unit.level is Level.PROVINCE)


def _has_seams(sense: Sense, words: Sequence[Syllable]) -> bool:
    """True where the name has these words: `phụ cận` is not Phúc An."""
    keys = [word.key for word in words]
    unit = sense.place.unit
    names = [key_of_words(name)[-len(words) :] for name in (unit.name, *unit.aliases)]
    return len(words) == 1 or sense.marks is None or keys in names


def _is_cut_short(tokens: list[Token], name: Name, end: int) -> bool:
    """True where initials are followed by a word of the same name: `huyện bt xát`."""
    initials = len(name.key) < 3 and not name.key.isdigit()
    follows = end < len(tokens) and tokens[end].pause == 0
    return initials and follows and _type_at(tokens, end)[0] is None


def _is_type_rather(name: Name, words: list[Token]) -> bool:
    """True where `xã Hò …` is a type and an unknown name rather than the name Xà Hồ."""
    first = words[0].word
    return first.marked and _best_spelt(name.senses, [t.word for t in words], True)[1] < (
        Spelling.EXACT
    )


def _nearly_type(tokens: list[Token], i: int) -> UnitType | None:
    if i + 1 >= len(tokens) or tokens[i + 1].pause >= 2:
        return None
    first, second = tokens[i].word.key, tokens[i + 1].word.key
    if _is_type_word(tokens[i + 1].word):
        for correct, type_key in _TWO_WORD_TYPES[second]:
            if len(first) > 1 and is_one_letter_off(first, correct):
                return TYPES[type_key]
    if _is_type_word(tokens[i].word):
        for correct, type_key in _TWO_WORD_TYPES[first]:
            if len(second) > 1 and is_one_letter_off(second, correct):
                return TYPES[type_key]
    return None


def _is_type_word(word: Syllable) -> bool:
    """True where a word of a type is spelt as one: `trấn` in `thị trấn`, unlike the name Trần."""
    if word.key not in _TWO_WORD_TYPES:
        return False
    return not word.marked or word.text in ("phố", "xã", "trấn", "thành", "thị")


# One word of a type of two words → the other word, and the type.
_TWO_WORD_TYPES = {
    "pho": (("thanh", "thanhpho"),),
    "xa": (("thi", "thixa"),),
    "tran": (("thi", "thitran"),),
    "thanh": (("pho", "thanhpho"),),
    "thi": (("tran", "thitran"),),
}


def _best_spelt(
    senses: tuple[Sense, ...], words: Sequence[Syllable], marked_text: bool
) -> tuple[tuple[Sense, ...], Spelling]:
    """At each level the senses whose diacritics are those written, else those with the same tones
    (`Nậm Chẩy` is Nậm Chảy, not Nậm Chày), or all when none has them.
    """
    marks = "".join(w.letters for w in words), "".join(w.tones for w in words)
    exact = tuple(sense for sense in senses if sense.marks == marks)
    has_marks = any(word.marked for word in words)
    if exact and (has_marks or marked_text):
        levels = {sense.level for sense in exact}
        return tuple(
            sense
            for sense in senses
            if sense.marks is None or sense.marks == marks or sense.level not in levels
        ), Spelling.EXACT
    if has_marks:
        same_tones = {s.level for s in senses if s.marks is not None and s.marks[1] == marks[1]}
        return tuple(
            sense
            for sense in senses
            if sense.level not in same_tones or sense.marks is None or sense.marks[1] == marks[1]
        ), Spelling.MARKS_OFF
    return senses, Spelling.UNMARKED


def _type_at(tokens: list[Token], i: int) -> tuple[UnitType | None, int]:
    """The longest type word or words at word i, and the word after."""
    key, best, end = "", None, i
    for j in range(i, min(i + _MAX_TYPE_WORDS, len(tokens))):
        if j > i and tokens[j].pause >= 2:
            break
        key += tokens[j].word.key
        several = j > i and len(tokens[i].word.key) > 1  # `X. A Lù` is no `xã Lù`
        if key in TYPES and (several or (j == i and _is_spelt(tokens[i].word))):
            best, end = TYPES[key], j + 1
    return best, end


def _is_spelt(word: Syllable) -> bool:
    allowed = SPELT.get(word.key)
    return allowed is None or not word.marked or word.text in allowed


def _type_after(tokens: list[Token], end: int) -> tuple[UnitType | None, int]:
    if end < len(tokens) and tokens[end].pause < 2:
        after = TYPES_AFTER.get(tokens[end].word.key)
        return after, end + 1 if after else end
    return None, end


def _is_centre(tokens: list[Token], name: Name, end: int) -> bool:
    """True where the name Trung Tâm is the centre of what follows: `trung tâm thị xã …`."""
    follows = name.key == "trungtam" and end < len(tokens) and tokens[end].pause == 0
    is_before = follows and tokens[end].word.key not in TYPES_AFTER
    return is_before and _type_at(tokens, end)[0] is not None


def _is_cooperative(tokens: list[Token], i: int) -> bool:
    """`xã` in `hợp tác xã` heads no unit."""
    return i > 0 and tokens[i].word.key == "xa" and tokens[i - 1].word.key in ("tac", "cu")


def _is_country(tokens: list[Token], i: int) -> bool:
    key = tokens[i].word.key
    if key == "nam" and i > 0:
        return tokens[i - 1].word.key == "viet"
    return key == "viet" and i + 1 < len(tokens) and tokens[i + 1].word.key == "nam"


def _stands_apart(tokens: list[Token], end: int) -> bool:
    """True where the text ends, or a pause or the country's name follows."""
    return end == len(tokens) or tokens[end].pause >= 2 or _is_country(tokens, end)


_VOWELS = frozenset("aeiou")


@lru_cache(maxsize=1 << 14)
def _odd_syllable(key: str) -> bool:
    """True where a word cannot be one Vietnamese syllable: its vowels do not stand together."""
    groups = 0
    inside = False
    for char in key.removeprefix("qu").removeprefix("gi") if len(key) > 3 else key:
        vowel = char in _VOWELS
        groups += vowel and not inside
        inside = vowel
    tail = len(key) - max((key.rfind(vowel) for vowel in _VOWELS), default=0) - 1
    head = next((i for i, char in enumerate(key) if char in _VOWELS), len(key))
    return groups != 1 or tail > 2 or head > 3


_PIECES = frozenset(key for key in TYPES if len(key) > 1) | {
    "thon", "ban", "to", "duong", "pho", "so", "khu", "xom", "cho", "vietnam", "todanpho",
}  # fmt: skip


def _cheapest_cuts(key: str, names: Names) -> list[tuple[int, int]]:
    """Cuts of a joined word into known names and type words; unknown letters cost most."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(key) + 1):
        options = [(best[end - 1][0] + 2.0, end - 1)]
        for start in range(max(0, end - 22), end - 1):
            piece = key[start:end]
            name = names.by_key.get(piece)
            is_name = name is not None and bool(name.senses) and len(piece) > 2
            if is_name or piece in _PIECES:
                options.append((best[start][0] + (0.5 if is_name else 0.6), start))
        best.append(min(options))
    return _joined_cuts(key, best, names)


def _joined_cuts(key: str, best: list[tuple[float, int]], names: Names) -> list[tuple[int, int]]:
    cuts: list[tuple[int, int]] = []
    end = len(key)
    while end:
        start = best[end][1]
        unknown = end - start == 1
        if unknown and cuts and cuts[-1][0] == end and not _is_piece(key, cuts[-1], names):
            cuts[-1] = (start, cuts[-1][1])
        else:
            cuts.append((start, end))
        end = start
    cuts.reverse()
    return cuts if any(_is_piece(key, cut, names) for cut in cuts) else []


def _is_piece(key: str, cut: tuple[int, int], names: Names) -> bool:
    piece = key[cut[0] : cut[1]]
    return len(piece) > 1 and (piece in _PIECES or piece in names.by_key)


def is_noise(token: Token) -> bool:
    """True where a word does not help to find a commune."""
    key = token.word.key
    return key.isdigit() or key in NOISE or key in TYPES or key in LANDMARKS
