"""Matching of communes by code or name, alone in a column, to the commune of today.

A name is all that such a column has; beside it only the day of the record can decide.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from gis.boundaries.units import Level, Unit, UnitHistory
from gis.errors import BadInput
from gis.placing.addresses import Candidate
from gis.placing.addresses.tokens import key_of, marks_of, words

_NAME_CONFIDENCE = 0.9  # without its type or its diacritics
# A spreadsheet reads the code 02998 as a number and writes 2998, 2998.0 or, grouped, 2,998.
_NUMBER = re.compile(r"(\d{1,3}(?:[.,]\d{3})+|\d+?)(?:[.,]0+)?")
_CODE_DIGITS = {Level.COMMUNE: 5, Level.DISTRICT: 3}
_ABBREVIATIONS = {
    "p": "Phường", "x": "Xã", "tt": "Thị trấn", "h": "Huyện", "tx": "Thị xã", "tp": "Thành phố",
}  # fmt: skip
_ABBREVIATED = re.compile(r"^(p|x|tt|h|tx|tp)(?:\.\s*|\s+)(?=\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UnitMatch:
    """The commune of today (code) and the unit of the day, or the candidates.

    `commune` is None when no unit, or several that end in different communes, may be meant; then
    `why` is a sentence, Vietnamese / English. `then` is None without a day. `meant` are the codes
    of all communes of today that the text may mean, empty where it may mean any.
    """

    commune: str | None
    then: Unit | None
    confidence: float
    candidates: tuple[Candidate, ...]
    why: str
    meant: frozenset[str] = frozenset()


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
        self._districts: dict[str, frozenset[str]] = {}

    def match(self, text: str, day: date | None) -> UnitMatch:
        """The commune that a text means on a day, or, without a day, on any day.

        A code decides. A name is compared with its diacritics when it is written with them. A name
        without its type is not read where a district or province bears it as well.
        """
        key = text, day
        if key not in self._found:
            self._found[key] = self._match(text.strip(), day)
        return self._found[key]

    def communes_of(self, text: str) -> frozenset[str]:
        """Codes of the communes of today of a commune or an old district, by its code or name.

        Raises BadInput where the text names none, or units with different communes.
        """
        match = self.match(text, None)
        if match.commune is not None:
            return frozenset({match.commune})
        district = self.district(text)
        if district and not match.candidates:
            return district
        raise BadInput(match.why)

    def restored_code(self, text: str, level: Level = Level.COMMUNE) -> str | None:
        """The code that a spreadsheet made a number of (2998, 2998.0 → 02998), None for others.

        The list of units proves it: the digits with zeros before them are the code of one.
        """
        number = _NUMBER.fullmatch(text.strip())
        if number is None or (level, text.strip()) in self._by_code:
            return None
        code = re.sub(r"\D", "", number[1]).zfill(_CODE_DIGITS[level])
        return code if (level, code) in self._by_code else None

    def district(self, text: str) -> frozenset[str]:
        """Codes of the communes of today that hold a part of a district, by its code or name.

        Empty where the text names no district.
        """
        if text not in self._districts:
            self._districts[text] = self._district(text.strip())
        return self._districts[text]

    def _match(self, text: str, day: date | None) -> UnitMatch:
        code = self.restored_code(text) or text
        coded = [unit for unit in self._by_code.get((Level.COMMUNE, code), ()) if _lived(unit, day)]
        if coded:
            return self._of(text, coded[-1:], day, sure=True, upper=[])
        text = _unabbreviated(text)
        names = self._named(text, day)
        typed = any(name.typed for name in names)
        units = [name.unit for name in names if name.unit.level is Level.COMMUNE]
        upper = [name.unit for name in names if name.unit.level is not Level.COMMUNE]
        return self._of(text, units, day, sure=typed and _has_marks(text), upper=upper)

    def _district(self, text: str) -> frozenset[str]:
        code = self.restored_code(text, Level.DISTRICT) or text
        units = self._by_code.get((Level.DISTRICT, code)) or [
            name.unit
            for name in self._named(_unabbreviated(text), None)
            if name.unit.level is Level.DISTRICT
        ]
        return frozenset(code for unit in units for code in self._communes_of(unit))

    def _communes_of(self, district: Unit) -> Iterable[str]:
        for unit in self.history.units:
            same_time = unit.valid_to == district.valid_to
            if unit.level is Level.COMMUNE and unit.parent == district.code and same_time:
                yield from self._communes_of_today(unit, None)

    def _named(self, text: str, day: date | None) -> list[_UnitName]:
        """Units that lived on the day, spelt as the text is as far as it has diacritics."""
        names = [name for name in self._by_key[key_of(text)] if _lived(name.unit, day)]
        exact = [name for name in names if name.marks == marks_of(text)]
        if exact and _has_marks(text):
            return exact
        return [name for name in names if name.is_plain_in(text)]

    @cached_property
    def _by_code(self) -> dict[tuple[Level, str], list[Unit]]:
        index: dict[tuple[Level, str], list[Unit]] = {}
        for unit in self.history.units:
            index.setdefault((unit.level, unit.code), []).append(unit)
        return index

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
            confidence = 1.0 if sure else _NAME_CONFIDENCE
            return UnitMatch(codes[0], then, confidence, (), "", frozenset(codes))
        why = _ambiguous(text, codes, upper) if codes or upper else _unknown(text)
        candidates = tuple(self._candidates(codes, units, day))
        return UnitMatch(None, None, 0.0, candidates, why, self._meant(codes, upper))

    def _meant(self, codes: list[str], upper: list[Unit]) -> frozenset[str]:
        if any(unit.level is Level.PROVINCE for unit in upper):
            return frozenset()
        of_districts = (code for unit in upper for code in self._communes_of(unit))
        return frozenset([*codes, *of_districts])

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


def _unabbreviated(text: str) -> str:
    """`P. Sa Pa` → `Phường Sa Pa`."""
    return _ABBREVIATED.sub(lambda found: f"{_ABBREVIATIONS[found[1].lower()]} ", text, count=1)


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
