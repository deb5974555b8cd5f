"""Matching of communes by code or name, alone in a column, to the commune of today.

A name is all that such a column has; beside it only the day of the record can decide.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from gis.boundaries.units import Level, Unit, UnitHistory
from gis.placing.addresses import Candidate
from gis.placing.addresses.tokens import key_of, marks_of, words

_NAME_CONFIDENCE = 0.9  # without its type or its diacritics


@dataclass(frozen=True, slots=True)
class UnitMatch:
    """The commune of today (code) and the unit of the day, or the candidates.

    `commune` is None when no unit, or several that end in different communes, may be meant; then
    `why` is a sentence, Vietnamese / English. `then` is None without a day.
    """

    commune: str | None
    then: Unit | None
    confidence: float
    candidates: tuple[Candidate, ...]
    why: str


@dataclass(frozen=True, slots=True)
class _UnitName:
    """A unit under one way to write its name, with the type before it or without."""

    unit: Unit
    marks: tuple[str, str]
    typed: bool

    def is_plain_in(self, text: str) -> bool:
        """True where the text has the name, after its type, without diacritics."""
        start = len(self.unit.kind.split()) if self.typed else 0
        return not any(token.word.marked for token in words(text)[start:])


class UnitNames:
    """Index of communes by code or name; `today` is the day whose communes are the answers."""

    def __init__(self, history: UnitHistory, today: date) -> None:
        self.history = history
        self.today = today
        self._found: dict[tuple[str, date | None], UnitMatch] = {}

    def match(self, text: str, day: date | None) -> UnitMatch:
        """The commune that a text means on a day, or, without a day, on any day.

        A code decides. A name is compared with its diacritics when it is written with them. A name
        without its type is not read where a district or province bears it as well.
        """
        key = text, day
        if key not in self._found:
            self._found[key] = self._match(text.strip(), day)
        return self._found[key]

    def _match(self, text: str, day: date | None) -> UnitMatch:
        coded = [unit for unit in self.history.units if unit.code == text and _lived(unit, day)]
        communes = [unit for unit in coded if unit.level is Level.COMMUNE]
        if communes:
            return self._of(text, communes[-1:], day, sure=True, upper=[])
        names = self._named(text, day)
        typed = any(name.typed for name in names)
        units = [name.unit for name in names if name.unit.level is Level.COMMUNE]
        upper = [name.unit for name in names if name.unit.level is not Level.COMMUNE]
        return self._of(text, units, day, sure=typed and _has_marks(text), upper=upper)

    def _named(self, text: str, day: date | None) -> list[_UnitName]:
        """Units that lived on the day, spelt as the text is as far as it has diacritics."""
        names = [name for name in self._by_key[key_of(text)] if _lived(name.unit, day)]
        exact = [name for name in names if name.marks == marks_of(text)]
        if exact and _has_marks(text):
            return exact
        return [name for name in names if name.is_plain_in(text)]

    @cached_property
    def _by_key(self) -> defaultdict[str, list[_UnitName]]:
        index: defaultdict[str, list[_UnitName]] = defaultdict(list)
        for unit in self.history.units:
            for name, typed in ((unit.full_name, True), (unit.name, False)):
                index[key_of(name)].append(_UnitName(unit, marks_of(name), typed))
        return index

    def _of(
        self, text: str, units: list[Unit], day: date | None, *, sure: bool, upper: list[Unit]
    ) -> UnitMatch:
        codes = sorted({code for unit in units for code in self._communes_of_today(unit, day)})
        if len(codes) == 1 and not upper:
            then = units[0] if day and len(units) == 1 else None
            return UnitMatch(codes[0], then, 1.0 if sure else _NAME_CONFIDENCE, (), "")
        why = _ambiguous(text, codes, upper) if codes or upper else _unknown(text)
        return UnitMatch(None, None, 0.0, tuple(self._candidates(codes, units, day)), why)

    def _communes_of_today(self, unit: Unit, day: date | None) -> list[str]:
        since = day or (unit.valid_to - timedelta(days=1) if unit.valid_to else self.today)
        return [code for code, _, _ in self.history.successors(unit.code, since, self.today)]

    def _candidates(
        self, codes: list[str], units: list[Unit], day: date | None
    ) -> Iterable[Candidate]:
        for code in codes:
            commune = self.history.unit(code, Level.COMMUNE, self.today)
            sources = [u.full_name for u in units if code in self._communes_of_today(u, day)]
            names = ", ".join(sorted(set(sources)))
            yield Candidate(code, commune.full_name if commune else code, f"từ / from {names}")


def _lived(unit: Unit, day: date | None) -> bool:
    return day is None or unit.valid_on(day)


def _has_marks(text: str) -> bool:
    letters, tones = marks_of(text)
    return bool(tones) or not letters.isascii()


def _ambiguous(text: str, codes: list[str], upper: list[Unit]) -> str:
    meant = [*codes, *sorted({unit.full_name for unit in upper})]
    return (
        f"«{text}» có thể là {', '.join(meant)}: hãy cho mã, tên đầy đủ hoặc ngày. / "
        f"“{text}” may be {', '.join(meant)}: give a code, the full name with its type, or a day."
    )


def _unknown(text: str) -> str:
    return (
        f"Không có xã, phường nào tên hay mã là «{text}» vào ngày đó. / "
        f"No commune had the name or code “{text}” on that day."
    )
