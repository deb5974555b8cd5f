"""Rules by which the words around a name say whether the place lies in the unit so named.

`RULES` is read from top to bottom: the first rule that applies to a name decides. A name with its
type counts unless a relation or a negation stands before it. A name without its type counts only
where nothing but it stands in its part of the text, or where the words beside it are of those that
a rule here knows: names are also those of people, companies, streets and villages, and no list of
such words would be complete.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from gis.boundaries.units import Level
from gis.placing.addresses.mentions import Mention, MentionedNames
from gis.placing.addresses.tokens import Token
from gis.placing.addresses.words import (
    AND_PLAIN,
    AND_SPELT,
    BESIDE,
    COMMUNE_TYPES,
    COUNTED,
    COUNTRY,
    DENIALS_PLAIN,
    DENIALS_SPELT,
    DENIED_BY,
    DESCRIPTIONS,
    ERA_WORDS,
    EVENTS,
    EXCEPTIONS_PLAIN,
    EXCEPTIONS_SPELT,
    HOUSE,
    INSTITUTIONS,
    INTRODUCTIONS_PLAIN,
    INTRODUCTIONS_SPELT,
    LANDMARKS,
    LENGTHS,
    OFFICES,
    PERSONS,
    RELATIONS_PLAIN,
    RELATIONS_SPELT,
    ROADS,
    SPELT,
    STARTS,
    THROUGH,
    TIMES,
    TYPES_AFTER,
    VILLAGES_PLAIN,
    VILLAGES_SPELT,
    WAY_PLAIN,
    WAY_SPELT,
)

_MAX_RELATION_WORDS = 6  # words from the relation to the name: `phía bắc của địa phận xã …`
_MAX_VILLAGE_WORDS = 3  # words of a village's name
_MIN_FULL_NAME_WORDS = 3  # words of a person's full name: what follows them is no part of it


class Effect(Enum):
    """What a name counts for.

    `NAMED`: the unit that the place lies in. `HINTED`: the same with less confidence. `NEAR`: a
    unit near the place. `DENIED`: a unit that the place does not lie in. `OTHER`: no unit at all.
    `AMONG`: no commune, though a district of the name still counts.
    """

    NAMED = "named"
    HINTED = "hinted"
    NEAR = "near"
    DENIED = "denied"
    OTHER = "other"
    AMONG = "among"


@dataclass(frozen=True, slots=True)
class NameContext:
    """A mention with the words around it.

    `before` holds those before it, nearest first, back to a hard pause or the name before; `after`
    those after it up to a hard pause or the next name.
    """

    mentioned: MentionedNames
    mention: Mention
    before: list[Token]
    after: list[Token]
    is_followed: bool  # another name follows in the same part

    @property
    def marked(self) -> bool:
        return self.mentioned.marked


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: where `applies` holds of a name, it has this effect.

    `example` is an address, `commune` the code that it gets by this rule, empty for none.
    """

    name: str
    applies: Callable[[NameContext], bool]
    effect: Effect
    example: str
    commune: str = ""


def surroundings_of(mentioned: MentionedNames, position: int) -> NameContext:
    """The words around the mention at a position; names that overlap it count as words."""
    mention = mentioned.mentions[position]
    ends = (one.end for one in mentioned.mentions[:position] if one.end <= mention.start)
    before = words_before(mentioned.tokens, max(ends, default=0), mention.start)
    starts = [one.start for one in mentioned.mentions[position + 1 :] if one.start >= mention.end]
    starts += [one.start for one in mentioned.unresolved if one.start >= mention.end]
    following = min(starts, default=len(mentioned.tokens))
    after: list[Token] = []
    for token in mentioned.tokens[mention.end : following]:
        if token.pause >= 2:
            break
        after.append(token)
    is_followed = (
        len(after) == following - mention.end
        and following < len(mentioned.tokens)
        and mentioned.tokens[following].pause < 2
    )
    return NameContext(mentioned, mention, before, after, is_followed)


def rule_of(surroundings: NameContext) -> Rule:
    """The first rule that applies; the last one always does."""
    return next(rule for rule in RULES if rule.applies(surroundings))


def words_before(tokens: list[Token], since: int, start: int) -> list[Token]:
    """The words right before `start`, nearest first, back to a hard pause or `since`."""
    words: list[Token] = []
    i = start
    while i > since and tokens[i].pause < 2:
        i -= 1
        words.append(tokens[i])
    return words


# Denials --------------------------------------------------------------------------------------


def is_denial(token: Token, marked: bool) -> bool:
    """True where a word denies what follows it: `không`, `trừ`, `except`."""
    return is_one_of(
        token, marked, DENIALS_SPELT | EXCEPTIONS_SPELT, DENIALS_PLAIN | EXCEPTIONS_PLAIN
    )


def _is_denied(around: NameContext) -> bool:
    """`không thuộc địa bàn xã …`, `trừ xã …`, `not in …`."""
    for i, token in enumerate(around.before[:_MAX_RELATION_WORDS]):
        if is_one_of(token, around.marked, EXCEPTIONS_SPELT, EXCEPTIONS_PLAIN):
            return not _is_residence(around.before, i)
        if is_one_of(token, around.marked, DENIALS_SPELT, DENIALS_PLAIN):
            return i > 0
        if token.word.key not in DENIED_BY:
            return False
    return False


def _is_residence(before: list[Token], i: int) -> bool:
    """True where `tru`, written without marks, is `trú` (to live) rather than `trừ` (except)."""
    neighbours = [*before[max(0, i - 1) : i], *before[i + 1 : i + 2]]
    return before[i].word.text == "tru" and any(
        token.word.key in ("thuong", "tam", "cu", "noi", "tai", "o") for token in neighbours
    )


# Relations ------------------------------------------------------------------------------------


def _is_near(around: NameContext) -> bool:
    return bool(near_word(around))


def near_word(around: NameContext) -> str:
    """The word that says that the place is near, not in, the unit named; empty without any."""
    near = (
        _relation(around.before, around.marked)
        or _measured(around.mentioned.tokens, around.mention)
        or _start(around.mentioned, around.before, around.mention)
    )
    if near == "phía" and not around.mention.bare and is_upper(around.mention):
        return ""  # the north of a district lies in it
    return near


def _relation(before: list[Token], marked: bool) -> str:
    office = False
    for i, token in enumerate(before[:_MAX_RELATION_WORDS]):
        word = token.word
        if is_relation(token, marked) and not _is_other_word(word.text, before[i + 1 :]):
            if word.text == "qua" and i > 1 and before[i - 1].word.key == "dia":
                return ""  # `qua địa bàn xã …`
            return "" if office and word.text in BESIDE else word.text
        office = office or word.key in OFFICES
        if word.key not in LANDMARKS and word.key not in THROUGH and word.key not in OFFICES:
            return ""
    return ""


def is_relation(token: Token, marked: bool) -> bool:
    """True where a word relates a place to the next name, as `gần` (near) does.

    `marked`: the whole text is written with diacritics.
    """
    return is_one_of(token, marked, RELATIONS_SPELT, RELATIONS_PLAIN)


def is_joining(token: Token, marked: bool) -> bool:
    """True where a word is one of relation, of a way or `and`: no part of a name."""
    return (
        is_relation(token, marked)
        or is_one_of(token, marked, AND_SPELT, AND_PLAIN)
        or is_one_of(token, marked, WAY_SPELT, WAY_PLAIN)
    )


def is_one_of(token: Token, marked: bool, spelt: frozenset[str], plain: frozenset[str]) -> bool:
    """True where a word is one of `spelt`, or of `plain` in a text without diacritics."""
    word = token.word
    return word.text in spelt if word.marked or marked else word.key in plain


def is_upper(mention: Mention) -> bool:
    """True where the name may be that of a district or province."""
    return any(sense.level is not Level.COMMUNE for sense in mention.senses)


def _is_other_word(text: str, before: list[Token]) -> bool:
    """True where the word is part of another: `đoạn qua` (within), `ngã tư`, `diện tích`."""
    last = before[0].word.key if before else ""
    if text == "qua":
        return last in ("doan", "chai")
    if text == "diện":
        return last != "doi"
    return (text == "tu" and last == "nga") or (text == "noi" and last not in ROADS)


def _measured(tokens: list[Token], mention: Mention) -> str:
    """The measure of `xã Y Tý 5 km`: the place is so far from it."""
    after = tokens[mention.end : mention.end + 2]
    if len(after) < 2 or after[0].pause >= 2 or is_upper(mention):
        return ""
    number, length = after[0].word.key, after[1].word.key
    squared = mention.end + 2 < len(tokens) and tokens[mention.end + 2].word.key == "2"
    return length if number.isdigit() and length in LENGTHS and not squared else ""


def _start(mentioned: MentionedNames, before: list[Token], mention: Mention) -> str:
    """The `từ` of `từ nhà ở xã Y Tý đến …`; of `từ ngày …` none."""
    before_words = [token.word for token in before]
    start = next((word.text for word in before_words if word.text in STARTS), "")
    if not start or any(word.key in TIMES for word in before_words):
        return ""
    return start if goes_on(mentioned, mention.end) else ""


def goes_on(mentioned: MentionedNames, i: int) -> bool:
    """True where word i leads from a start to an end."""
    follows = i < len(mentioned.tokens) and mentioned.tokens[i].pause < 2
    return follows and is_one_of(mentioned.tokens[i], mentioned.marked, WAY_SPELT, WAY_PLAIN)


# Names without a type -------------------------------------------------------------------------


def _counts_by_type(around: NameContext) -> bool:
    """With its type, or a district's, province's or another province's name."""
    mention = around.mention
    if not mention.bare:
        return True
    has_commune = any(True for _ in mention.of_level(Level.COMMUNE))
    return not has_commune and not _is_landmark(around)


def _is_of_institution(around: NameContext) -> bool:
    """`UBND …`, `trạm y tế …`: they sit in the unit that they are named after."""
    return _phrase(around.before).endswith(INSTITUTIONS) and _ends_well(around)


def _is_introduced(around: NameContext) -> bool:
    """`tại …`, `ở …`, `thuộc …`, `địa bàn …`: what follows is where it is."""
    if around.marked:
        words = "".join(f" {token.word.text}" for token in reversed(around.before[:4]))
        introduced = words.endswith(INTRODUCTIONS_SPELT)
    else:
        introduced = _phrase(around.before).endswith(INTRODUCTIONS_PLAIN)
    return introduced and _ends_well(around, EVENTS)


def _phrase(before: list[Token]) -> str:
    """The last words before a name, with a blank before each: ` trung tam`."""
    return "".join(f" {token.word.key}" for token in reversed(before[:4]))


def _is_house_number(around: NameContext) -> bool:
    """`591 Hoàng Liên`, `ngõ 5 …`: a number before the name of a street, unlike `tổ 5`."""
    number, before = _number_before(around)
    if not number:
        return False
    for token in before[:3]:
        key = token.word.key
        if key in COUNTED:
            return False
        if key not in HOUSE:
            return not key.isdigit()
    return True


def _is_counted(around: NameContext) -> bool:
    """`tổ 12 …`, `Km 12 QL 4E …`: a counted place of the unit."""
    return bool(_number_before(around)[0]) and _ends_well(around)


def _number_before(around: NameContext) -> tuple[str, list[Token]]:
    """The number right before a name (`5`, `4E`), and the words before that, nearest first."""
    before = around.before
    if before and before[0].word.key.isdigit():
        return before[0].word.key, before[1:]
    letter = len(before) > 1 and len(before[0].word.key) == 1
    if letter and before[1].word.key.isdigit():
        return before[1].word.key, before[2:]
    return "", before


def _is_landmark(around: NameContext) -> bool:
    """`chợ …`, `đường …`, `thôn …`: the name of a street, a village or a landmark."""
    return bool(around.before) and around.before[0].word.key in LANDMARKS


def _is_joined(around: NameContext) -> bool:
    """`… và Kim Tân`: it counts as the name before it does."""
    before = around.before
    return len(before) == 1 and is_joining(before[0], around.marked) and _ends_well(around)


def _is_described(around: NameContext) -> bool:
    """`xã biên giới Pha Long`: words of praise or kind between type and name."""
    for i, token in enumerate(around.before):
        if _phrase(around.before[i:]).endswith(COMMUNE_TYPES):
            word = token.word
            is_type = not word.marked or word.text in SPELT.get(word.key, (word.text,))
            return is_type and _ends_well(around)
        if token.word.key not in DESCRIPTIONS:
            return False
    return False


def _is_after_village_in_row(around: NameContext) -> bool:
    """`lang nu phuc khanh bao yen`: village, commune and district without commas."""
    return around.is_followed and not around.after and _has_village(around)


def _is_after_village(around: NameContext) -> bool:
    return _has_village(around) and _ends_well(around)


def _has_village(around: NameContext) -> bool:
    words = around.before[1 : _MAX_VILLAGE_WORDS + 1]
    return any(is_one_of(word, around.marked, VILLAGES_SPELT, VILLAGES_PLAIN) for word in words)


def _is_after_person_in_row(around: NameContext) -> bool:
    """`nha ong nguyen van minh xuan giao bao thang`: after a person's full name, without commas."""
    keys = [token.word.key for token in around.before]
    at = next((i for i, key in enumerate(keys) if key in PERSONS), 0)
    return at >= _MIN_FULL_NAME_WORDS and around.is_followed and not around.after


def _is_alone(around: NameContext) -> bool:
    return not around.before and _ends_well(around)


def _ends_well(around: NameContext, also: Iterable[str] = ()) -> bool:
    """True where the words after a name are no part of a longer name."""
    if not around.after:
        return True
    first = around.after[0]
    key = first.word.key
    return (
        key.isdigit()
        or key in ERA_WORDS
        or key in COUNTRY
        or key in TIMES
        or key in TYPES_AFTER
        or key in also
        or key in ("viet", "thuoc", "o", "tai", "cua", "trong", "sau", "truoc")
        or is_joining(first, around.marked)
    )


def _is_any(_: NameContext) -> bool:
    return True


RULES = (
    Rule("denied", _is_denied, Effect.DENIED, "không thuộc xã Y Tý, huyện Bát Xát"),
    Rule("near", _is_near, Effect.NEAR, "giáp xã Y Tý, huyện Bát Xát"),
    Rule("typed", _counts_by_type, Effect.NAMED, "tiệm may xã Y Tý, Bát Xát", "02701"),
    Rule("institution", _is_of_institution, Effect.HINTED, "trạm y tế Y Tý, Bát Xát", "02701"),
    Rule("introduced", _is_introduced, Effect.NAMED, "cháy rừng tại Y Tý, Bát Xát", "02701"),
    Rule("house number", _is_house_number, Effect.OTHER, "ngõ 7 Y Tý, Bát Xát"),
    Rule("counted", _is_counted, Effect.NAMED, "tổ 7 Y Tý, Bát Xát", "02701"),
    Rule("landmark", _is_landmark, Effect.OTHER, "thác Y Tý, Bát Xát"),
    Rule("joined", _is_joined, Effect.NAMED, "Y Tý và A Lù, Bát Xát", "02701"),
    Rule("described", _is_described, Effect.NAMED, "xã vùng cao Y Tý, Bát Xát", "02701"),
    Rule(
        "village in a row", _is_after_village_in_row, Effect.NAMED,
        "thon mo phu chai y ty bat xat", "02701",
    ),
    Rule("village", _is_after_village, Effect.HINTED, "thôn Mò Phú Chải Y Tý, Bát Xát", "02701"),
    Rule(
        "person in a row", _is_after_person_in_row, Effect.NAMED,
        "nha ong ly a sang y ty bat xat", "02701",
    ),
    Rule("alone", _is_alone, Effect.NAMED, "Y Tý, Bát Xát", "02701"),
    Rule("among other words", _is_any, Effect.AMONG, "tiệm may Y Tý, Bát Xát"),
)  # fmt: skip
