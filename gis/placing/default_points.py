"""Default points: where a geocoder puts what it does not know, one coordinate for all of it.

Many records on exactly one coordinate are a default point only when they have nothing else in
common. A sensor has thousands of records at its site, and a market many complaints at its gate:
those are related, and they stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

MIN_COUNT = 20
MIN_SHARE = 0.01  # of the source's points
MIN_RATIO = 5  # times as many as the other coordinates of the source hold on average
MIN_SUBJECTS = 3
LIKE_THE_SOURCE = 0.5  # of the subjects that as many records of the whole source would have
# Where nothing tells what records are about, only a much greater heap is called a default point.
MIN_SHARE_UNTOLD, MIN_RATIO_UNTOLD = 0.05, 10

type Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DefaultPoint:
    """One coordinate (degrees, WGS 84), its records, and their share of the source's points."""

    lon: float
    lat: float
    count: int
    share: float

    def __str__(self) -> str:
        return (
            f"{self.count} bản ghi không liên quan nằm đúng một tọa độ "
            f"({self.lon:.6f}, {self.lat:.6f}), {self.share:.1%} của nguồn / "
            f"{self.count} unrelated records on exactly one coordinate, {self.share:.1%} of the "
            "source"
        )


@dataclass(frozen=True, slots=True)
class DefaultPoints:
    """`mask` is true for the records on a default point; `found` lists these, largest first."""

    mask: NDArray[np.bool_]
    found: tuple[DefaultPoint, ...]

    @property
    def share(self) -> float:
        """Of the source's points, the share that sits on default points."""
        return sum(point.share for point in self.found)


def default_points(
    lon: ArrayLike,
    lat: ArrayLike,
    *subjects: Sequence[object],
    days: Sequence[object] | None = None,
) -> DefaultPoints:
    """The default points among the n records of one source.

    `lon`, `lat` in degrees, NaN where there is no point. Each of `subjects` holds n values that
    tell what a record is about: an address, a category, a description, a station. `days` are the
    days on which they happened. A coordinate is a default point when it holds at least 20 records,
    1 % of the source's points and 5 times the average of the other coordinates, and when in every
    kind of subject its records are as mixed as the source: at least 3 subjects, and at least half
    as many as an equal number of records drawn from the source would have (rarefaction, Hurlbert
    1971, in its binomial form); likewise its days. Subjects that are all the same tell nothing;
    where none tells, it must hold 5 % and 10 times the average.
    """
    east, north = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
    has_point = np.isfinite(east) & np.isfinite(north)
    rows = np.flatnonzero(has_point)
    _, at, counts = np.unique(
        east[rows] + 1j * north[rows], return_inverse=True, return_counts=True
    )
    told = [codes for one in subjects if (codes := _codes(one, rows)).max(initial=0) > 0]
    dates = None if days is None else _codes(days, rows)
    mask = np.zeros(len(east), np.bool_)
    found = []
    for place in _heaps(counts, told=bool(told)):
        here = at == place
        if not _is_mixed(here, told, dates):
            continue
        mask[rows[here]] = True
        row, count = rows[here][0], int(counts[place])
        found.append(DefaultPoint(float(east[row]), float(north[row]), count, count / len(rows)))
    return DefaultPoints(mask, tuple(found))


def expected_subjects(codes: Codes, count: int) -> float:
    """How many subjects `count` records drawn from the source would have, on average."""
    each = np.bincount(codes)
    return float(np.sum(1 - (1 - count / len(codes)) ** each))


def _codes(values: Sequence[object], rows: NDArray[np.intp]) -> Codes:
    codes, _ = pd.factorize(pd.Series(list(values), dtype=object).iloc[rows], use_na_sentinel=False)
    return np.asarray(codes, np.int64)


def _heaps(counts: NDArray[np.int64], *, told: bool) -> list[int]:
    """Coordinates that hold far more records than the others, the largest first."""
    total, places = int(counts.sum()), len(counts)
    share, ratio = (MIN_SHARE, MIN_RATIO) if told else (MIN_SHARE_UNTOLD, MIN_RATIO_UNTOLD)
    enough = np.flatnonzero(counts >= max(MIN_COUNT, share * total))
    heaps = []
    for place in enough[np.argsort(-counts[enough], kind="stable")]:
        others = (total - counts[place]) / (places - 1) if places > 1 else np.nan
        alone_but_told = places == 1 and told
        if alone_but_told or counts[place] >= ratio * others:
            heaps.append(int(place))
    return heaps


def _is_mixed(here: NDArray[np.bool_], told: list[Codes], days: Codes | None) -> bool:
    """Whether the records have no more in common than any others of the source."""
    if any(len(np.unique(codes[here])) < MIN_SUBJECTS for codes in told):
        return False
    kinds = told if days is None else [*told, days]
    return all(_is_like_the_source(codes, here) for codes in kinds)


def _is_like_the_source(codes: Codes, here: NDArray[np.bool_]) -> bool:
    expected = expected_subjects(codes, int(np.count_nonzero(here)))
    return len(np.unique(codes[here])) >= LIKE_THE_SOURCE * expected
