"""Themes of a draft: the field that tells kinds of records apart, the measure, and their style."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import AmbiguousInput
from gis.intake.chunks import TableChunks
from gis.intake.numbers import parse_numbers
from gis.intake.tables import column_key
from gis.text import number_en, number_vi, without_contacts
from layers.definition.drafts.columns import DraftedColumn, given_values, sample
from layers.definition.model import FieldType

Floats = NDArray[np.float64]

# Words of names of columns that tell kinds apart, without diacritics.
_KIND = re.compile(
    r"\b(loai|muc do|muc|cap|tinh trang|trang thai|nhom|linh vuc|phan loai|kind|type|status|state|"
    r"severity|category|class|level)\b"
)
_MOST_KINDS, _LEAST_RECORDS = 8, 2  # classes of a legend, and records of each on average
_LONGEST_KIND = 60  # characters: a line of a legend
# Okabe and Ito's palette, which the colour-blind tell apart.
_KINDS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#000000")
_RAMP = ("#c7e9b4", "#41b6c4", "#225ea8", "#0c2c84")  # of ColorBrewer's YlGnBu
_OUTLINE = "#ffffff"
_BOOLEANS = {True: {"vi": "Có", "en": "Yes"}, False: {"vi": "Không", "en": "No"}}


@dataclass(frozen=True, slots=True)
class Themes:
    """Fields of a layer by which its map can be coloured; None where no column offers itself.

    `kinds` are the values of `category`, the most frequent first, `bounds` those of the classes
    of `measure`, rising; both may be empty.
    """

    category: str | None = None
    kinds: tuple[str | int | bool, ...] = ()
    measure: str | None = None
    unit: str | None = None
    bounds: tuple[float, ...] = ()

    @property
    def hexes(self) -> dict[str, str]:
        """Words of the section `hexes`."""
        named = {"category": self.category, "measure": self.measure}
        return {word: field for word, field in named.items() if field}

    @property
    def style(self) -> dict[str, Any]:
        """The section `style`: by kind, else by size of the measure, else one colour."""
        if self.category:
            classes = [
                {"value": value, "colour": colour, "label": _label(value)}
                for value, colour in zip(self.kinds, _KINDS, strict=False)
            ]
            return {"field": self.category, "classes": classes, "outline": _OUTLINE}
        if self.bounds:
            classes = list(_ranges(self.bounds, f" {self.unit}" if self.unit else ""))
            return {"field": self.measure, "classes": classes, "outline": _OUTLINE}
        return {"outline": _OUTLINE}


def draft_themes(
    chunks: TableChunks, columns: Mapping[str, DraftedColumn], fields: Mapping[str, Any]
) -> Themes:
    """The themes of a file; `columns` are those that may be one, by the column of the source, and
    `fields` the section of the layer file."""
    names = {words["column"]: name for name, words in fields.items()}
    kinds = {name: Counter[str]() for name, each in columns.items() if _may_be_kind(name, each)}
    numbers: dict[str, list[float]] = {column: [] for column in _measures(columns, names, fields)}
    for part in chunks:
        for column in list(kinds):
            kinds[column].update(given_values(part, column))
            if len(kinds[column]) > _MOST_KINDS:
                del kinds[column]
        for column, values in numbers.items():
            values += _read(sample(given_values(part, column)), column, columns[column].format)
    category = next(iter(sorted(filter(_tells_apart, kinds.items()), key=_rank)), None)
    measure = next((column for column, values in numbers.items() if values), None)
    bounds = () if measure is None else _bounds(np.array(numbers[measure]))
    return Themes(
        category=None if category is None else names[category[0]],
        kinds=() if category is None else _values(category[1], columns[category[0]].type),
        measure=None if measure is None else names[measure],
        unit=None if measure is None else fields[names[measure]].get("unit"),
        bounds=bounds,
    )


def _may_be_kind(name: str, column: DraftedColumn) -> bool:
    """Texts and truths; whole numbers where the name says so: others count or are codes."""
    if column.personal or column.doubt or column.is_empty:
        return False
    is_named = _KIND.search(column_key(name)) is not None
    types = (FieldType.TEXT, FieldType.BOOLEAN)
    return column.type in types or (is_named and column.type is FieldType.INTEGER)


def _tells_apart(candidate: tuple[str, Counter[str]]) -> bool:
    _, kinds = candidate
    return (
        len(kinds) > 1
        and kinds.total() >= _LEAST_RECORDS * len(kinds)
        and all(len(value) <= _LONGEST_KIND and without_contacts(value) == value for value in kinds)
        and not all(value.isdigit() and value.startswith("0") for value in kinds)  # codes
    )


def _rank(candidate: tuple[str, Counter[str]]) -> bool:
    """What is named so comes first, and then the order of the file."""
    return _KIND.search(column_key(candidate[0])) is None


def _values(kinds: Counter[str], type: FieldType) -> tuple[str | int | bool, ...]:
    if type is FieldType.BOOLEAN:
        return (True, False)
    ordered = sorted(kinds, key=lambda value: (-kinds[value], value))
    return tuple(map(int, ordered)) if type is FieldType.INTEGER else tuple(ordered)


def _measures(
    columns: Mapping[str, DraftedColumn], names: Mapping[str, str], fields: Mapping[str, Any]
) -> Iterator[str]:
    """Columns that measure: those with a unit, then those with decimals."""
    numeric = (FieldType.INTEGER, FieldType.NUMBER)
    numbers = [name for name, column in columns.items() if column.type in numeric]
    yield from (name for name in numbers if "unit" in fields[names[name]])
    for name in numbers:
        if "unit" not in fields[names[name]] and columns[name].type is FieldType.NUMBER:
            yield name


def _read(values: Sequence[str], column: str, format: str | None) -> list[float]:
    with suppress(AmbiguousInput):
        numbers = parse_numbers(values, format, column=column).numbers
        return [number for number in numbers.tolist() if np.isfinite(number)]
    return []


def _bounds(numbers: Floats) -> tuple[float, ...]:
    """Lower bounds of classes with about as many records each, rounded to two digits, rising."""
    if np.ptp(numbers) == 0:
        return ()
    quartiles = np.quantile(numbers, (0, 0.25, 0.5, 0.75), method="lower")
    least = 0.0 if quartiles[0] >= 0 else _rounded_down(float(quartiles[0]))
    bounds = {least, *map(_rounded_down, quartiles[1:].tolist())}
    return tuple(sorted(bounds)) if len(bounds) > 1 else ()


def _rounded_down(number: float) -> float:
    """The next number below or equal that has two significant digits."""
    if number == 0:
        return 0.0
    digits = 1 - int(np.floor(np.log10(abs(number))))
    # Of a decimal that is one already, no power of ten may make a smaller one.
    return round(float(np.floor(round(number * 10.0**digits, 6))) / 10.0**digits, max(digits, 0))


def _label(value: str | int | bool) -> dict[str, str]:
    if isinstance(value, bool):
        return _BOOLEANS[value]
    return {"vi": str(value), "en": f"? {value}"}


def _ranges(bounds: Sequence[float], unit: str) -> Iterator[dict[str, Any]]:
    """Classes from each bound to the next; the last one is open, and so is the first below."""
    colours = _RAMP[-len(bounds) :]
    for at, (bound, colour) in enumerate(zip(bounds, colours, strict=True)):
        above = bounds[at + 1] if at + 1 < len(bounds) else None
        vi, en = (
            [each(b, 6, trim=True) for b in (bound, above or 0)] for each in (number_vi, number_en)
        )
        if above is None:
            label = {"vi": f"Từ {vi[0]}{unit}", "en": f"{en[0]}{unit} and more"}
        else:
            label = {"vi": f"{vi[0]}–{vi[1]}{unit}", "en": f"{en[0]}–{en[1]}{unit}"}
        yield {"at_least": bound, "colour": colour, "label": label}
