"""Measurements in a draft: records of a few stations that come again and again in time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.intake.dates import parse_instants
from gis.intake.tables import RawTable
from layers.definition.drafts.columns import DraftedColumn
from layers.definition.model import FieldType

_LEAST_TIMES = 3  # of a station, on average
_STEPS = (("d", 86_400), ("h", 3_600), ("min", 60))


@dataclass(frozen=True, slots=True)
class DraftedSeries:
    """The column of the station, those that are measured, and how often, as in `1h`."""

    station: str
    quantities: tuple[str, ...]
    every: str


def draft_series(
    table: RawTable,
    columns: Mapping[str, DraftedColumn],
    place_columns: Collection[str],
    time: Mapping[str, str],
    numbers: Collection[str],
) -> DraftedSeries | None:
    """The series that the first records of a file prove; None where they are no measurements.

    `time` are the words of `source.time`, `numbers` the columns that may be measured. A station
    has one place, at most one record of a time, and several of these at regular steps; numbers
    that vary within stations are measured.
    """
    if not time or any(column.personal for column in columns.values()):
        return None
    column = time["column"]
    at = parse_instants(table[column], time.get("format"), column=column, asks=False).utc
    if np.isnat(at).any():
        return None
    others = [name for name in columns if name not in place_columns and name != column]
    for station in others:
        if columns[station].type not in (FieldType.TEXT, FieldType.INTEGER):
            continue
        every = _step(table[station], at)
        if every is None or any(_varies(table, station, name) for name in place_columns):
            continue
        measured = tuple(
            name for name in others if name in numbers and _varies(table, station, name)
        )
        if measured:
            return DraftedSeries(station, measured, every)
    return None


def _step(stations: Sequence[str], at: NDArray[np.datetime64]) -> str | None:
    """The usual time between records of a station; None where they are no series."""
    if not all(stations) or len(set(stations)) * _LEAST_TIMES > len(stations):
        return None
    seconds = [gap for station in sorted(set(stations)) for gap in _gaps(stations, at, station)]
    if not seconds or min(seconds) <= 0:
        return None
    usual = int(np.median(seconds))
    if 86_400 % usual:
        return None
    return next(
        (f"{usual // length}{unit}" for unit, length in _STEPS if usual % length == 0), None
    )


def _gaps(stations: Sequence[str], at: NDArray[np.datetime64], station: str) -> Iterator[float]:
    """Seconds between the records of a station, in the order of time."""
    of_station = np.array([each == station for each in stations])
    yield from (np.diff(np.sort(at[of_station])) / np.timedelta64(1, "s")).tolist()


def _varies(table: RawTable, station: str, name: str) -> bool:
    """True where a station has several values of a column."""
    pairs = {
        (each, value) for each, value in zip(table[station], table[name], strict=True) if value
    }
    return len(pairs) > len({each for each, _ in pairs})
