"""Repeats of an incident: who comes first is kept, who comes near one that is kept repeats it.

Only what is kept is compared with, so a flood of repeats costs no more than as many incidents.
"""

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

EARTH_RADIUS_M = 6_371_008.8  # the mean of IUGG
HOUR_US = 3_600_000_000
_AROUND = np.array([-1, 0, 1])


def repeats(
    lonlat: Floats, at_us: Integers, kind: Integers, *, within_m: float, within_hours: float
) -> Flags:
    """True for each incident, shape (n,) and in the order of arrival, that repeats one before it.

    `lonlat` (n, 2) in degrees, WGS 84, on a sphere; `at_us` microseconds of any epoch; `kind`
    numbers from 0. It repeats one of its own kind no further than `within_m` metres, straight
    through the sphere, and no more than `within_hours` away.
    """
    if not len(at_us):
        return np.zeros(0, bool)
    within_us = round(within_hours * HOUR_US)
    bucket, near = _buckets(lonlat[:, 1], at_us, kind, within_m, within_us)
    return np.asarray(_repeats(bucket, near, _on_sphere(lonlat), at_us, within_m, within_us))


def _on_sphere(lonlat: Floats) -> Floats:
    lon, lat = np.radians(lonlat).T
    ball = np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    return np.asarray(EARTH_RADIUS_M * ball)


def _buckets(
    latitude: Floats, at_us: Integers, kind: Integers, within_m: float, within_us: int
) -> tuple[Integers, Integers]:
    """The bucket of each incident, and the 9 in which what is near to one can lie; −1: not there.

    A bucket is a kind, a span of time and a band of latitude, each at least as long as the limit.
    """
    metres = np.radians(latitude - latitude.min()) * EARTH_RADIUS_M
    band = 1 + np.floor(metres / max(1.001 * within_m, 1.0)).astype(np.int64)
    span = 1 + (at_us - at_us.min()) // max(within_us, HOUR_US)
    bands, spans = int(band.max()) + 2, int(span.max()) + 2
    keys, bucket = np.unique((kind * spans + span) * bands + band, return_inverse=True)
    steps = (bands * _AROUND[:, None] + _AROUND).ravel()
    wanted = keys[:, None] + steps
    found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return bucket.ravel(), np.where(keys[found] == wanted, found, -1)


@numba.njit(cache=True)
def _repeats(
    bucket: Integers, near: Integers, xyz: Floats, at_us: Integers, within_m: float, within_us: int
) -> Flags:
    """Each bucket is a list of what was kept in it, the newest first."""
    newest = np.full(len(near), -1)
    before = np.full(len(bucket), -1)
    repeated = np.zeros(len(bucket), np.bool_)
    for i in range(len(bucket)):
        for place in near[bucket[i]]:
            kept = newest[place] if place >= 0 else -1
            while kept >= 0 and not repeated[i]:
                soon = abs(at_us[i] - at_us[kept]) <= within_us
                repeated[i] = soon and _away(xyz[i], xyz[kept]) <= within_m
                kept = before[kept]
            if repeated[i]:
                break
        if not repeated[i]:
            before[i] = newest[bucket[i]]
            newest[bucket[i]] = i
    return repeated


@numba.njit(cache=True)
def _away(one: Floats, other: Floats) -> float:
    x, y, z = one[0] - other[0], one[1] - other[1], one[2] - other[2]
    return float(np.sqrt(x * x + y * y + z * z))
