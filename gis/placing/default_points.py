"""Default points: the one coordinate that a geocoder gives to all addresses it does not know.

Many records on exactly one coordinate are a default point only when they have nothing else in
common. A sensor has thousands of records at its site, and a market many complaints at its gate:
those are related, and they stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MIN_COUNT = 20
MIN_SHARE = 0.01  # of the source's points
MIN_RATIO = 5  # to the average of the source's other coordinates
MIN_SUBJECTS = 3
LIKE_THE_SOURCE = 0.5  # of the subjects that as many records of the whole source would have
# Without subjects only a much greater heap is called a default point.
MIN_SHARE_WITHOUT_SUBJECTS, MIN_RATIO_WITHOUT_SUBJECTS = 0.05, 10
# A district is the same for all records of a place, related or not, so it is no subject. It is
# recognised by neighbourhoods of 0.01°, nearly all of which have one value.
_NEIGHBOURHOOD_DEG, _NEIGHBOURHOODS, _ONE_VALUE = 0.01, 20, 0.9

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
        """Share (0–1) of the source's points that sit on default points."""
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
    days on which they happened. A coordinate is a default point when

    * it holds at least 20 records, 1 % of the source's points and 5 times the average of the
      other coordinates;
    * in every kind of subject its records are as mixed as the source: at least half as many
      subjects as an equal number of records drawn from the source would have (rarefaction,
      Hurlbert 1971, in its binomial form), and at least 3 in one kind; likewise its days.

    Subjects that are all the same tell nothing, nor do those that only name the neighbourhood,
    such as a district. Where none tells, it must hold 5 % and 10 times the average.
    """
    points = _Points.of(lon, lat)
    informative = [
        codes for subject in subjects if (codes := _codes(subject, points.rows)).max(initial=0) > 0
    ]
    dates = None if days is None else _codes(days, points.rows)
    mask = np.zeros(points.records, np.bool_)
    places = []
    for place in _heaps(points.counts, with_subjects=bool(informative)):
        here = points.at == place
        if _is_mixed(points, here, informative, dates):
            mask[points.rows[here]] = True
            places.append(points.described(place, here))
    return DefaultPoints(mask, tuple(places))


def expected_subjects(codes: Codes, count: int) -> float:
    """Mean number of subjects among `count` records drawn from the source."""
    each = np.bincount(codes)
    return float(np.sum(1 - (1 - count / len(codes)) ** each))


@dataclass(frozen=True, slots=True)
class _Points:
    """The records that have a point: their rows, degrees, and which coordinate they sit on."""

    records: int
    rows: NDArray[np.intp]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    at: NDArray[np.intp]
    counts: Codes

    @staticmethod
    def of(lon: ArrayLike, lat: ArrayLike) -> "_Points":
        east, north = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
        rows = np.flatnonzero(np.isfinite(east) & np.isfinite(north))
        there = east[rows] + 1j * north[rows]
        _, at, counts = np.unique(there, return_inverse=True, return_counts=True)
        return _Points(len(east), rows, east[rows], north[rows], at, counts)

    def described(self, place: int, here: NDArray[np.bool_]) -> DefaultPoint:
        first, count = int(np.argmax(here)), int(self.counts[place])
        share = count / len(self.rows)
        return DefaultPoint(float(self.lon[first]), float(self.lat[first]), count, share)

    def neighbourhoods(self) -> Codes:
        import pandas as pd

        cells = np.floor(self.lon / _NEIGHBOURHOOD_DEG) + 1j * np.floor(
            self.lat / _NEIGHBOURHOOD_DEG
        )
        codes, _ = pd.factorize(cells)
        return np.asarray(codes, np.int64)


def _codes(values: Sequence[object], rows: NDArray[np.intp]) -> Codes:
    import pandas as pd

    codes, _ = pd.factorize(pd.Series(list(values), dtype=object).iloc[rows], use_na_sentinel=False)
    return np.asarray(codes, np.int64)


def _heaps(counts: Codes, *, with_subjects: bool) -> list[int]:
    """Coordinates that hold far more records than the others, the largest first."""
    total, places = int(counts.sum()), len(counts)
    share, ratio = (
        (MIN_SHARE, MIN_RATIO)
        if with_subjects
        else (MIN_SHARE_WITHOUT_SUBJECTS, MIN_RATIO_WITHOUT_SUBJECTS)
    )
    candidates = np.flatnonzero(counts >= max(MIN_COUNT, share * total))
    heaps = []
    for place in candidates[np.argsort(-counts[candidates], kind="stable")]:
        mean_of_others = (total - counts[place]) / (places - 1) if places > 1 else np.nan
        only_place = places == 1 and with_subjects
        if only_place or counts[place] >= ratio * mean_of_others:
            heaps.append(int(place))
    return heaps


def _is_mixed(
    points: _Points, here: NDArray[np.bool_], subjects: list[Codes], days: Codes | None
) -> bool:
    """True where the records have no more in common than any others of the source."""
    if days is not None and not _is_like_the_source(days, here):
        return False
    mixed = [codes for codes in subjects if _is_like_the_source(codes, here)]
    alike = [codes for codes in subjects if not any(codes is subject for subject in mixed)]
    if subjects and max((len(np.unique(codes[here])) for codes in mixed), default=0) < MIN_SUBJECTS:
        return False
    return all(_names_the_neighbourhood(points, codes, here) for codes in alike)


def _is_like_the_source(codes: Codes, here: NDArray[np.bool_]) -> bool:
    expected = expected_subjects(codes, int(np.count_nonzero(here)))
    return len(np.unique(codes[here])) >= LIKE_THE_SOURCE * expected


def _names_the_neighbourhood(points: _Points, codes: Codes, here: NDArray[np.bool_]) -> bool:
    """True where a subject is the same all around, as a district is, not at this place alone."""
    import pandas as pd

    usual = np.bincount(codes[here]).argmax()
    if np.mean(here[codes == usual]) >= 0.5:
        return False
    frame = pd.DataFrame({"cell": points.neighbourhoods(), "subject": codes})[~here]
    cells = frame.groupby("cell")["subject"].agg(["size", "nunique"])
    several = cells[cells["size"] >= 3]
    one_value = float(np.mean(several["nunique"] == 1)) if len(several) else 0.0
    return len(several) >= _NEIGHBOURHOODS and one_value >= _ONE_VALUE
