"""Plausible times of records: default days of programs and mistyped years are faults."""

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from gis.clock import HERE
from layers.definition.model import Occurrence

type Instants = NDArray[np.datetime64]


_OFFSET = np.timedelta64(HERE.utcoffset(None))


def days_of(utc: Instants) -> NDArray[np.datetime64]:
    """The day of each instant (UTC, NaT where there is none) in the country."""
    return (utc + _OFFSET).astype("datetime64[D]")


def implausible_times(
    utc: Instants, occurrence: Occurrence, today: date
) -> Iterator[tuple[int, str]]:
    """The rows whose time (UTC, NaT where there is none) is before or after what the layer takes,
    and why."""
    first, last = occurrence.earliest, today + timedelta(days=occurrence.ahead_days)
    days = days_of(utc)
    for row in np.flatnonzero((days < np.datetime64(first)) | (days > np.datetime64(last))):
        bounds = f"{first} … {last}"
        why = (
            f"“{days[row]}” không thể là ngày xảy ra; phải trong {bounds} (đổi ở `earliest`, "
            "`ahead_days` trong tệp lớp) / it cannot have happened on this day: give one in "
            f"{bounds}, or change `earliest`, `ahead_days` in the layer file"
        )
        yield int(row), why
