"""Mentions of names in a text, with the type written before (or in English after) each."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from gis.boundaries.units import Level
from gis.placing.addresses.names import OutsideUnit, Sense
from gis.placing.addresses.tokens import Token
from gis.placing.addresses.words import ERA_WORDS, UnitType


class Spelling(IntEnum):
    """Grades of spelling, from worst to best."""

    MISSPELT = 0
    MARKS_OFF = 1
    UNMARKED = 2
    EXACT = 3


@dataclass(slots=True)
class Mention:
    """A name in the text, words `start` to `end` (its type included), and its possible meanings.

    `type`: the type word, None for a bare name. `weak`: named only as a street, a landmark or a
    neighbour. `near`: the word that makes it a neighbour. `denied`: the place is said not to lie
    in it. `hinted`: it counts with less confidence. `embedded`: no commune is meant, as the name
    stands among other words. `between`: the second unit of "from … to …". `equal`: named side by
    side with another ("and"). `era`: `old` or `new` if the text says.
    """

    start: int
    name_at: int
    end: int
    type: UnitType | None
    senses: tuple[Sense, ...]
    abroad: tuple[OutsideUnit, ...]
    spelling: Spelling
    weak: bool = False
    between: bool = False
    era: str = ""
    near: str = ""
    equal: bool = False
    denied: bool = False
    hinted: bool = False
    embedded: bool = False

    @property
    def bare(self) -> bool:
        return self.type is None

    def moved(self, offset: int) -> "Mention":
        """A copy, `offset` words further on."""
        return Mention(
            self.start + offset, self.name_at + offset, self.end + offset, self.type,
            self.senses, self.abroad, self.spelling, self.weak, self.between, self.era,
            self.near, self.equal, self.denied, self.hinted, self.embedded,
        )  # fmt: skip

    def of_level(self, level: Level) -> Iterator[Sense]:
        return (sense for sense in self.senses if sense.level is level)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A type word at `start` whose name, from word `name_at`, is unknown.

    Not `firm`: the word may be no type at all ("tinh" in a text without diacritics).
    """

    start: int
    name_at: int
    type: UnitType
    firm: bool

    def moved(self, offset: int) -> "Unresolved":
        return Unresolved(self.start + offset, self.name_at + offset, self.type, self.firm)


@dataclass(slots=True)
class MentionedNames:
    """Words of a text with the names recognised in them."""

    tokens: list[Token]
    mentions: list[Mention]
    unresolved: list[Unresolved]
    marked: bool  # the text is written with diacritics
    speaks_of_eras: bool = False
    speaks_of_company: bool = False

    def dangling(self) -> list[Mention]:
        """Mentions of communes with an unread word right after: part of a longer, misspelt name?"""
        starts = {mention.start for mention in self.mentions} | {u.start for u in self.unresolved}
        return [
            mention
            for mention in self.mentions
            if mention.end < len(self.tokens)
            and mention.end not in starts
            and self.tokens[mention.end].pause < 2
            and not self.tokens[mention.end].word.key.isdigit()
            and self.tokens[mention.end].word.key not in ERA_WORDS
            and any(True for _ in mention.of_level(Level.COMMUNE))
        ]

    @property
    def all_read(self) -> bool:
        """True where every word belongs to a mention."""
        return not self.unresolved and len(self.tokens) <= sum(
            [mention.end - mention.start for mention in self.mentions if mention.senses]
        )

    def unread(self) -> list[tuple[int, int]]:
        """Runs of words, without a hard pause inside, that belong to no mention."""
        local = [m for m in self.mentions if m.senses or not m.bare]  # Hạ Long may be Pha Long
        taken = {i for m in local for i in range(m.start, m.end)}
        runs: list[tuple[int, int]] = []
        for i, token in enumerate(self.tokens):
            if i in taken or token.word.key.isdigit():
                continue
            if runs and runs[-1][1] == i and token.pause < 2:
                runs[-1] = (runs[-1][0], i + 1)
            else:
                runs.append((i, i + 1))
        return runs
