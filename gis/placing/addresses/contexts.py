"""Context of a name in an address: street, neighbour, one end of a way, old or new name."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise

from gis.boundaries.units import Level
from gis.placing.addresses.mentions import Mention, MentionedNames
from gis.placing.addresses.names import Sense
from gis.placing.addresses.tokens import Token
from gis.placing.addresses.words import (
    AND_PLAIN,
    AND_SPELT,
    BESIDE,
    BETWEEN,
    COUNTED,
    ENDS,
    HOUSE,
    LANDMARKS,
    LENGTHS,
    NEW_AFTER,
    OFFICES,
    OLD_AFTER,
    RELATIONS_PLAIN,
    RELATIONS_SPELT,
    ROAD_WORDS,
    ROADS,
    STARTS,
    THROUGH,
    TIMES,
    WAY_PLAIN,
    WAY_SPELT,
)

_MAX_RELATION_WORDS = 6  # words from the relation to the name: `phía bắc của địa phận xã …`


class Link(StrEnum):
    """Links of two mentions: the only thing that stands between them."""

    NONE = "none"
    NEXT = "next"
    COMMA = "comma"
    DASH = "dash"
    AND = "and"
    WAY = "way"


def note_contexts(mentioned: MentionedNames) -> None:
    """Set the context of each mention by the words right before and after it."""
    for position, mention in enumerate(mentioned.mentions):
        _note_context(mentioned, position, mention)


def _note_context(mentioned: MentionedNames, position: int, mention: Mention) -> None:
    before = mentioned.mentions[position - 1].end if position else 0
    mention.era = era_of(mentioned, mention)
    words = _words_before(mentioned.tokens, before, mention.start)
    mention.between = not mention.bare and any(t.word.text in BETWEEN for t in words[:1])
    mention.near = (
        _relation(words, mentioned.marked)
        or _measured(mentioned.tokens, mention)
        or _start(mentioned, words, mention)
    )
    if mention.near == "phía" and not mention.bare and _is_upper(mention):
        mention.near = ""  # the north of a district lies in it
    mention.weak = bool(mention.near) or (mention.bare and _is_landmark(words))


def _words_before(tokens: list[Token], since: int, start: int) -> list[Token]:
    """The words right before `start`, nearest first, back to a hard pause or `since`."""
    words: list[Token] = []
    i = start
    while i > since and tokens[i].pause < 2:
        i -= 1
        words.append(tokens[i])
    return words


def _is_landmark(before: list[Token]) -> bool:
    """True where a bare name is that of a street, a village or a landmark."""
    if not before:
        return False
    nearest = before[0].word.key
    if nearest.isdigit() or (
        len(nearest) == 1 and len(before) > 1 and before[1].word.key.isdigit()
    ):
        return _is_house_number(before[1:] if nearest.isdigit() else before[2:])
    return nearest in LANDMARKS


def _is_house_number(before: list[Token]) -> bool:
    """True where a number before a name makes it a street ("591 Hoàng Liên"), unlike "tổ 5"."""
    for token in before[:3]:
        key = token.word.key
        if key in COUNTED:
            return False
        if key not in HOUSE:
            return not key.isdigit()
    return True


def _relation(before: list[Token], marked: bool) -> str:
    """The word that says that the place is near, not in, the unit named; empty without any."""
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
    word = token.word
    return word.text in RELATIONS_SPELT if word.marked or marked else word.key in RELATIONS_PLAIN


def is_joining(token: Token, marked: bool) -> bool:
    """True where a word is one of relation, of a way or `and`: no part of a name."""
    return (
        is_relation(token, marked)
        or _is_one_of(token, marked, AND_SPELT, AND_PLAIN)
        or _is_one_of(token, marked, WAY_SPELT, WAY_PLAIN)
    )


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
    if len(after) < 2 or after[0].pause >= 2 or _is_upper(mention):
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
    return start if _goes_on(mentioned, mention.end) else ""


def _goes_on(mentioned: MentionedNames, i: int) -> bool:
    """True where word i leads from a start to an end."""
    follows = i < len(mentioned.tokens) and mentioned.tokens[i].pause < 2
    return follows and _is_one_of(mentioned.tokens[i], mentioned.marked, WAY_SPELT, WAY_PLAIN)


# Units named together -------------------------------------------------------------------------


def note_company(mentioned: MentionedNames) -> None:
    """Set which units are named together, over the commas of the whole text.

    These are all units that a place lies between or near, the ends of a way, units side by side.
    """
    _note_roads(mentioned)
    relation, count = "", 0
    for before, mention in pairwise([None, *mentioned.mentions]):
        if mention is None:
            continue
        link = _link(mentioned, before, mention) if before else Link.NONE
        if mention.near:
            relation, count = mention.near, 1
        elif (
            before
            and relation
            and (
                _is_also_near(before, mention, link, relation, count)
                or (relation in STARTS and _is_end(mentioned, before, mention))
            )
        ):
            mention.near, mention.weak, count = relation, True, count + 1
        elif not (relation and _is_upper(mention) and link is not Link.NONE):
            relation = ""
        if before and (link is Link.WAY or not relation):
            _note_pair(mentioned, before, mention, link)


def _is_also_near(before: Mention, mention: Mention, link: Link, relation: str, count: int) -> bool:
    """True where the relation said of the units before holds of this one: `giữa A và B`."""
    if link in (Link.AND, Link.WAY):
        return True
    if not _is_commune(mention) or (mention.bare and _is_upper(mention)):
        return False
    if link is Link.COMMA and not before.bare and _is_commune(before):
        return True  # `giáp xã A, xã B`: near both, or near A in B
    alike = mention.bare == before.bare
    return alike and (link is Link.DASH or (link is Link.COMMA and relation in ENDS and count == 1))


def _is_end(mentioned: MentionedNames, before: Mention, mention: Mention) -> bool:
    """True where the way from the unit before ends in this one: `từ xã A đến thôn B xã C`."""
    between = mentioned.tokens[before.end + 1 : mention.start + 1]
    return _goes_on(mentioned, before.end) and all(token.pause < 2 for token in between)


def _note_pair(mentioned: MentionedNames, before: Mention, mention: Mention, link: Link) -> None:
    if link is Link.AND:
        before.equal = mention.equal = True
        mention.weak = mention.weak or (before.weak and before.bare and mention.bare)
    elif link is Link.WAY:
        mention.weak = True
        before.weak = before.weak or not _is_upper(before) or not _has_place(mentioned, before)


def _has_place(mentioned: MentionedNames, before: Mention) -> bool:
    """True where a commune stands before a district: `xã Trung Chải, Sa Pa đi Lào Cai`."""
    return any(
        _is_commune(other) and not other.weak
        for other in mentioned.mentions
        if other.end <= before.start
    )


def _note_roads(mentioned: MentionedNames) -> None:
    """A road's name of several communes, `đường Y Tý - Mường Hum`, is a way between them."""
    for i, mention in enumerate(mentioned.mentions):
        if not (mention.bare and _is_on_road(mentioned, i)):
            continue
        chain = [mention, *_joined_after(mentioned, i)]
        if len(chain) > 1 and _is_way(chain):
            for end in chain:
                end.weak = True


def _is_on_road(mentioned: MentionedNames, i: int) -> bool:
    since = mentioned.mentions[i - 1].end if i else 0
    for token in _words_before(mentioned.tokens, since, mentioned.mentions[i].start):
        key = token.word.key
        if key in ROADS:
            return True
        if key not in ROAD_WORDS and not key.isdigit() and len(key) > 1:
            return False
    return False


def _joined_after(mentioned: MentionedNames, i: int) -> Iterator[Mention]:
    for before, mention in pairwise(mentioned.mentions[i:]):
        if not mention.bare or _link(mentioned, before, mention) not in (
            Link.DASH,
            Link.WAY,
            Link.AND,
        ):
            return
        yield mention


def _is_way(chain: list[Mention]) -> bool:
    """True where the names are the ends of a way: not all in one commune of today.

    As dashes stand for commas too, they must be of one district or without a district at the end.
    """
    first, second = _communes(chain[0]), _communes(chain[1])
    if not first or any(a.place.today == b.place.today for a in first for b in second):
        return False
    siblings = any(
        not a.place.districts.isdisjoint(b.place.districts) for a in first for b in second
    )
    return siblings or not _is_upper(chain[-1])


def _communes(mention: Mention) -> list[Sense]:
    return list(mention.of_level(Level.COMMUNE))


def _is_commune(mention: Mention) -> bool:
    return any(sense.level is Level.COMMUNE for sense in mention.senses)


def _is_upper(mention: Mention) -> bool:
    return any(sense.level is not Level.COMMUNE for sense in mention.senses)


def _link(mentioned: MentionedNames, before: Mention, mention: Mention) -> Link:
    if mention.start < before.end:
        return Link.NONE
    gap = mentioned.tokens[before.end : mention.start]
    pause = mentioned.tokens[mention.start].pause
    if not gap:
        dotted = mentioned.tokens[mention.start - 1].dotted
        return (Link.NEXT, Link.NEXT if dotted else Link.DASH, Link.COMMA, Link.DASH)[pause]
    if pause >= 2:
        return Link.NONE
    if all(_is_one_of(token, mentioned.marked, AND_SPELT, AND_PLAIN) for token in gap):
        return Link.AND
    if all(_is_one_of(token, mentioned.marked, WAY_SPELT, WAY_PLAIN) for token in gap):
        return Link.NONE if gap[0].pause >= 2 else Link.WAY
    return Link.NONE


def _is_one_of(token: Token, marked: bool, spelt: frozenset[str], plain: frozenset[str]) -> bool:
    word = token.word
    return word.text in spelt if word.marked or marked else word.key in plain


# Old and new names ----------------------------------------------------------------------------


def era_of(mentioned: MentionedNames, mention: Mention) -> str:
    tokens, end = mentioned.tokens, mention.end
    if end < len(tokens) and _ends_phrase(tokens, end):
        if tokens[end].word.text in OLD_AFTER:
            return "old"
        if tokens[end].word.text in NEW_AFTER:
            return "new"
    before = tokens[max(0, mention.start - 4) : mention.start]
    return _era_before([token.word.key for token in before])


def _ends_phrase(tokens: list[Token], i: int) -> bool:
    """True where word i belongs to the name before it: `xã X mới`, not `X, mới xây`."""
    return tokens[i].pause < 2 or i + 1 == len(tokens) or tokens[i + 1].pause >= 2


def _era_before(words: list[str]) -> str:
    """The era that words give a name: `nay là …` → new, `trước đây thuộc …` → old, else empty."""
    phrase = " ".join(words)
    ends = (" la", " thuoc", " thanh", " vao", "nai", " cua")
    if not phrase.endswith(ends) and not phrase.endswith(("cu", "nguien", "now", "formerli")):
        return ""
    if any(word in words for word in ("truoc", "cu", "nguien", "von", "formerli", "xua")):
        return "old"
    if any(word in words for word in ("nai", "now", "nhap", "doi", "gio")):
        return "new"
    return ""
