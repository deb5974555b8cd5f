"""Identity of signals: two are about the same thing by key, hexes, circle, else units."""

from collections.abc import Collection
from datetime import timedelta

import h3

from gis.alerts.findings import Signal
from gis.alerts.policy import Policy


def same_place(one: Signal, other: Signal, policy: Policy) -> bool:
    """The same key; or hexes that overlap by the Jaccard index; or centres within the larger
    radius; or, of two without hexes and centres, the same units.
    """
    if one.key is not None or other.key is not None:
        return one.key == other.key
    if not (_placed(one) or _placed(other)):
        return set(one.communes) == set(other.communes)
    return jaccard(one.cells, other.cells) >= policy.same_jaccard or _near(one, other)


def same_time(one: Signal, other: Signal, policy: Policy) -> bool:
    """True if at most the gap of the policy lies between them, in either order."""
    return gap(one, other) <= policy.same_gap


def gap(one: Signal, other: Signal) -> timedelta:
    """The time between two signals; zero where they overlap."""
    return max(timedelta(0), one.since - other.until, other.since - one.until)


def jaccard(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Shared hexes to all hexes, at the coarser resolution of the two; 0 where there are none."""
    coarsest = min((h3.get_resolution(h3.int_to_str(each[0])) for each in (one, other) if each),
                   default=0)  # fmt: skip
    here, there = _at(one, coarsest), _at(other, coarsest)
    together = here | there
    return len(here & there) / len(together) if together else 0.0


def _at(cells: tuple[int, ...], resolution: int) -> set[int]:
    """The hexes of a resolution that hold these, of one resolution each."""
    if not cells or h3.get_resolution(h3.int_to_str(cells[0])) == resolution:
        return set(cells)
    return {h3.str_to_int(h3.cell_to_parent(h3.int_to_str(cell), resolution)) for cell in cells}


def shares_most(inner: Collection[int], outer: Collection[int]) -> bool:
    """True if most of the inner records are among the outer ones; false without any."""
    shared = len(set(inner) & set(outer))
    return 2 * shared > len(set(inner))


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Between two points (longitude, latitude) on the sphere, in metres."""
    apart: float = h3.great_circle_distance(one[::-1], other[::-1], unit="m")
    return apart


def _near(one: Signal, other: Signal) -> bool:
    if one.centre is None or other.centre is None:
        return False
    reach = max(one.radius_m or 0.0, other.radius_m or 0.0)
    return distance_m(one.centre, other.centre) <= reach


def _placed(signal: Signal) -> bool:
    return bool(signal.cells) or signal.centre is not None
