"""A province made from nothing real: hexes, where people live, and days of reports."""

from dataclasses import dataclass

import h3
import h3ronpy
import numpy as np
import numpy.typing as npt
import pyproj

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

CENTRE = (22.3, 104.0)  # latitude, longitude: the middle of Lào Cai
CRS = 32648  # UTM 48 N, metres
TOWNS = 99
WEEK = np.array([1.1, 1.1, 1.05, 1.0, 1.05, 0.85, 0.85])  # calls of a hotline by weekday
SEASON = 0.3  # amplitude over a year


@dataclass(frozen=True, slots=True)
class Province:
    """`xy` (n, 2) metres of the hexes' centres, `people` (n,) shares, `town` (n,) a number."""

    cells: npt.NDArray[np.uint64]
    xy: Floats
    people: Floats
    town: Counts


@dataclass(frozen=True, slots=True)
class Events:
    """Events: the row of each among the hexes, its day, and which of 7 smaller hexes it is in."""

    place: Counts
    day: Counts
    part: Counts

    def counted(self) -> "Events":
        """Events as alarms count them: one a smaller hex and day."""
        key = (self.day * 10_000_000 + self.place) * 7 + self.part
        _, first = np.unique(key, return_index=True)
        return Events(self.place[first], self.day[first], self.part[first])

    def between(self, first_day: int, last_day: int) -> "Events":
        """Days `first_day` to `last_day`, both included."""
        kept = (self.day >= first_day) & (self.day <= last_day)
        return Events(self.place[kept], self.day[kept], self.part[kept])

    def and_more(self, other: "Events") -> "Events":
        """Both together."""
        return Events(
            np.append(self.place, other.place),
            np.append(self.day, other.day),
            np.append(self.part, other.part),
        )


def province(rings: int = 77, resolution: int = 8, seed: int = 2025) -> Province:
    """A disk of hexes (77 rings: 18,019 of 13,300 km², the size of Lào Cai) with 99 towns.

    People live around towns of very unequal size (Pareto), denser towards the middle of each; a
    tenth of them anywhere.
    """
    centre = h3.str_to_int(h3.latlng_to_cell(*CENTRE, resolution))
    disk = h3ronpy.grid_disk(np.array([centre], np.uint64), rings, flatten=True)
    cells = np.sort(np.asarray(disk, np.uint64))
    xy = hex_centres(cells)
    random = np.random.default_rng(seed)
    towns = xy[random.choice(len(xy), TOWNS, replace=False)]
    size = random.pareto(1.2, TOWNS) + 0.3
    spread = 700 * np.sqrt(size) + 400  # metres
    away = np.hypot(*(xy[:, None, :] - towns[None, :, :]).transpose(2, 0, 1))
    near = size / spread**2 * np.exp(-away / spread)
    people = near.sum(axis=1)
    people = 0.9 * people / people.sum() + 0.1 / len(cells)
    return Province(cells, xy, people, away.argmin(axis=1))


def hex_centres(cells: npt.NDArray[np.uint64]) -> Floats:
    """Centres in metres of UTM 48 N, shape (n, 2)."""
    at = np.array([h3.cell_to_latlng(h3.int_to_str(int(cell))) for cell in cells])
    project = pyproj.Transformer.from_crs(4326, CRS, always_xy=True)
    return np.column_stack(project.transform(at[:, 1], at[:, 0]))


def quiet(
    where: Province, per_day: float, days: int, random: np.random.Generator, growth: float = 0.0
) -> Events:
    """Null A: people × weekday × season, Poisson; `growth` is that of the rate in a year."""
    day = np.arange(days)
    rate = per_day * WEEK[day % 7] * (1 + SEASON * np.sin(2 * np.pi * day / 365))
    counts = random.poisson(rate * (1 + growth * day / 365))
    total = int(counts.sum())
    place = random.choice(len(where.cells), total, p=where.people)
    return Events(place.astype(np.int64), np.repeat(day, counts), random.integers(0, 7, total))


def lumpy(where: Province, per_day: float, days: int, random: np.random.Generator) -> Events:
    """Null B: events in clusters of place and time, whose days are then permuted within weekday.

    Half are quiet; half come in lumps of 2 to 40 within 2 km and a fortnight, as real incidents do.
    What the permutation leaves is an uneven map and uneven days without any tie between them.
    """
    half = quiet(where, per_day / 2, days, random)
    whole = half
    while len(whole.day) < per_day * days:
        whole = whole.and_more(_lump(where, days, random))
    day = whole.day.copy()
    for weekday in range(7):
        at = np.flatnonzero(day % 7 == weekday)
        day[at] = day[random.permutation(at)]
    return Events(whole.place, day, whole.part)


def _lump(where: Province, days: int, random: np.random.Generator) -> Events:
    size = int(random.integers(2, 41))
    near = within(where, int(random.choice(len(where.cells), p=where.people)), 2000.0)
    day = (random.integers(0, days) + random.integers(0, 14, size)) % days
    return Events(random.choice(near, size), day.astype(np.int64), random.integers(0, 7, size))


def within(where: Province, centre: int, radius_m: float) -> Counts:
    """Rows of the hexes whose centre is within the radius of that of `centre`, itself included."""
    return np.flatnonzero(np.hypot(*(where.xy - where.xy[centre]).T) <= radius_m)
