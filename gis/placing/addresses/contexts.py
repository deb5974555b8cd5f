"""Context of a name in an address: street, neighbour, one end of a way, old or new name."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise

from gis.boundaries.units import Level
from gis.placing.addresses.mentions import Mention, MentionedNames
from gis.placing.addresses.names import Sense
from gis.placing.addresses.rules import (
    Effect,
    goes_on,
    is_one_of,
    is_upper,
    near_word,
    rule_of,
    surroundings_of,
    words_before,
)
from gis.placing.addresses.tokens import Token
from gis.placing.addresses.words import (
    AND_PLAIN,
    AND_SPELT,
    BETWEEN,
    ENDS,
    NEW_AFTER,
    OLD_AFTER,
    REFORM,
    ROAD_WORDS,
    ROADS,
    ROADS_AFTER,
    STARTS,
    WAY_PLAIN,
    WAY_SPELT,
)


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
        around = surroundings_of(mentioned, position)
        effect = rule_of(around).effect
        mention.era = era_of(mentioned, mention)
        mention.between = not mention.bare and any(
            token.word.text in BETWEEN for token in around.before[:1]
        )
        mention.denied = effect is Effect.DENIED
        mention.hinted = effect is Effect.HINTED
        mention.near = near_word(around) if effect is Effect.NEAR else ""
        if mention.denied:
            mention.near = around.before[0].word.text
        mention.embedded = effect is Effect.AMONG
        among = mention.embedded and not is_upper(mention)
        mention.weak = among or effect in (Effect.NEAR, Effect.DENIED, Effect.OTHER)


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
        elif not (relation and is_upper(mention) and link is not Link.NONE):
            relation = ""
        if before and (link is Link.WAY or not relation):
            _note_pair(mentioned, before, mention, link)


def _is_also_near(before: Mention, mention: Mention, link: Link, relation: str, count: int) -> bool:
    """True where the relation said of the units before holds of this one: `giữa A và B`."""
    if link in (Link.AND, Link.WAY):
        return True
    if not _is_commune(mention) or (mention.bare and is_upper(mention)):
        return False
    if link is Link.COMMA and not before.bare and _is_commune(before):
        return True  # `giáp xã A, xã B`: near both, or near A in B
    alike = mention.bare or not before.bare
    return alike and (link is Link.DASH or (link is Link.COMMA and relation in ENDS and count == 1))


def _is_end(mentioned: MentionedNames, before: Mention, mention: Mention) -> bool:
    """True where the way from the unit before ends in this one: `từ xã A đến thôn B xã C`."""
    between = mentioned.tokens[before.end + 1 : mention.start + 1]
    return goes_on(mentioned, before.end) and all(token.pause < 2 for token in between)


def _note_pair(mentioned: MentionedNames, before: Mention, mention: Mention, link: Link) -> None:
    if link is Link.AND:
        before.equal = mention.equal = True
        mention.weak = mention.weak or (before.weak and before.bare and mention.bare)
    elif link is Link.WAY:
        mention.weak = True
        before.weak = before.weak or not is_upper(before) or not _has_place(mentioned, before)


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
        chain = [mention, *_joined_after(mentioned, i)] if mention.bare else []
        if len(chain) < 2:
            continue
        is_road = _is_before_road(mentioned, chain[-1])
        if is_road or (_is_on_road(mentioned, i) and _is_way(chain)):
            for end in chain:
                end.weak = True


def _is_before_road(mentioned: MentionedNames, mention: Mention) -> bool:
    """True where an English word for a road follows: `Y Ty - Muong Hum road`."""
    after = mentioned.tokens[mention.end : mention.end + 1]
    return bool(after) and after[0].pause < 2 and after[0].word.key in ROADS_AFTER


def _is_on_road(mentioned: MentionedNames, i: int) -> bool:
    since = mentioned.mentions[i - 1].end if i else 0
    for token in words_before(mentioned.tokens, since, mentioned.mentions[i].start):
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
    return siblings or not is_upper(chain[-1])


def _communes(mention: Mention) -> list[Sense]:
    return list(mention.of_level(Level.COMMUNE))


def _is_commune(mention: Mention) -> bool:
    return any(sense.level is Level.COMMUNE for sense in mention.senses)


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
    if all(is_one_of(token, mentioned.marked, AND_SPELT, AND_PLAIN) for token in gap):
        return Link.AND
    if all(is_one_of(token, mentioned.marked, WAY_SPELT, WAY_PLAIN) for token in gap):
        return Link.NONE if gap[0].pause >= 2 else Link.WAY
    return Link.NONE


# Old and new names ----------------------------------------------------------------------------


def era_of(mentioned: MentionedNames, mention: Mention) -> str:
    tokens, end = mentioned.tokens, mention.end
    if end < len(tokens) and _ends_phrase(tokens, end):
        if tokens[end].word.text in OLD_AFTER:
            return "old"
        if tokens[end].word.text in NEW_AFTER:
            return "new"
    if end + 1 < len(tokens) and tokens[end + 1].word.key in REFORM:
        if tokens[end].word.key == "sau":
            return "new"
        if tokens[end].word.key == "truoc":
            return "old"
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
