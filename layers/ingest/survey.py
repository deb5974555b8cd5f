"""Survey of a file in chunks: what its records decide together, before any of them is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from gis.intake.chunks import joined, part_of
from gis.intake.coordinates import MAX_DEGREES, PlaceColumn
from gis.intake.dates import deciding_dates
from gis.intake.numbers import deciding_numbers
from gis.intake.tables import RawTable

SAMPLE_ROWS = 50_000
_PARTS = 8  # of the hashes of keys, so that no copy of all of them is made


class ColumnType(StrEnum):
    """What a column is read as."""

    ANGLE = "angle"  # degrees
    NUMBER = "number"
    INTEGER = "integer"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class ColumnReading:
    """A column, what it is read as, and the format that is declared for it."""

    column: str
    type: ColumnType
    format: str | None = None

    def deciding(self, values: Iterable[str]) -> list[str]:
        """The few values that decide the notation or the order of day and month."""
        match self.type:
            case ColumnType.DATE:
                return deciding_dates(values, self.format)
            case _ if self.format is not None:
                return []
            case ColumnType.INTEGER:
                return deciding_numbers(values, whole=True)
            case ColumnType.ANGLE:
                return deciding_numbers(values, at_most=MAX_DEGREES)
            case ColumnType.NUMBER:
                return deciding_numbers(values)


@dataclass(frozen=True)
class Survey:
    """What a file's records decide together.

    `sample` holds at most `SAMPLE_ROWS` of its `rows` records, evenly spread. `deciding` are the
    values that decide how each column is read. `repeats` are, by the number of a record (from 0),
    the line of the last record with its key, which counts. `places` is the column that holds the
    places of the records, where one does.
    """

    rows: int
    sample: RawTable
    deciding: Mapping[ColumnReading, list[str]]
    repeats: Mapping[int, int]
    places: PlaceColumn | None = None


def survey(
    chunks: Iterable[RawTable],
    readings: Iterable[ColumnReading],
    key: tuple[str, ...],
    places: PlaceColumn | None = None,
) -> Survey:
    """The survey of a file; `key` are the columns of a record's key.

    It holds eight bytes a record, and a bounded sample.
    """
    sample, keys = _Sample(), _Keys()
    deciding: dict[ColumnReading, list[str]] = {reading: [] for reading in readings}
    rows = 0
    for chunk in chunks:
        rows += len(chunk)
        sample.add(chunk)
        keys.add(chunk, key)
        for reading, values in deciding.items():
            if reading.column in chunk.cells:
                deciding[reading] = reading.deciding([*values, *chunk[reading.column]])
    return Survey(rows, sample.table(), deciding, keys.repeats(), places)


@dataclass
class _Sample:
    """Every n-th record, where n doubles when they become too many."""

    step: int = 1
    first: int = 0  # of the next chunk, the record to take first
    parts: list[RawTable] = field(default_factory=list)

    def add(self, chunk: RawTable) -> None:
        taken = part_of(chunk, slice(self.first, None, self.step))
        self.parts.append(taken)
        self.first += len(taken) * self.step - len(chunk)
        while sum(map(len, self.parts)) > SAMPLE_ROWS:
            self._thin()

    def _thin(self) -> None:
        offset, thinned = 0, []
        for part in self.parts:
            thinned.append(part_of(part, slice(offset, None, 2)))
            offset = (offset + len(part)) % 2
        self.parts = [part for part in thinned if len(part)] or thinned[:1]
        self.first += offset * self.step
        self.step *= 2

    def table(self) -> RawTable:
        return self.parts[0] if len(self.parts) == 1 else joined(self.parts)


@dataclass
class _Keys:
    """Hashes of keys by chunk, and the lines of the records."""

    hashes: list[npt.NDArray[np.int64]] = field(default_factory=list)
    lines: list[range | npt.NDArray[np.int64]] = field(default_factory=list)

    def add(self, chunk: RawTable, key: tuple[str, ...]) -> None:
        # A rule of correction may give a column from some chunk on.
        columns = [chunk.cells.get(column) or [""] * len(chunk) for column in key]
        values = columns[0] if len(key) == 1 else zip(*columns, strict=True)
        self.hashes.append(np.fromiter(map(hash, values), np.int64, len(chunk)))
        lines = chunk.lines
        self.lines.append(lines if isinstance(lines, range) else np.asarray(lines, np.int64))

    def repeats(self) -> dict[int, int]:
        """By the number of a record, the line of the last one with its key; by hashes alone."""
        several = self._several()
        if len(several) == 0:
            return {}
        start, rows = 0, list[tuple[int, int]]()
        for hashes in self.hashes:
            at = np.flatnonzero(np.isin(hashes, several))
            rows += zip(hashes[at].tolist(), (at + start).tolist(), strict=True)
            start += len(hashes)
        last = dict(rows)
        return {row: self._line(last[key]) for key, row in rows if last[key] != row}

    def _several(self) -> npt.NDArray[np.int64]:
        """The hashes that come more than once; a part of all is sorted at a time."""
        found = []
        for part in range(_PARTS):
            some = [hashes[hashes % _PARTS == part] for hashes in self.hashes]
            ordered = np.sort(np.concatenate(some))
            found.append(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
        return np.concatenate(found)

    def _line(self, row: int) -> int:
        for lines in self.lines:
            if row < len(lines):
                return int(lines[row])
            row -= len(lines)
        raise IndexError(row)
