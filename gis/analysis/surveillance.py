"""Events judged one by one as they arrive: the Shiryaev–Roberts scan of Assunção and Correa."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gis.analysis.inputs import above, between, floats

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Surveillance:
    """`statistic` R_n after each event; indices count from 0, None where nothing was found."""

    statistic: Floats
    alarm: int | None  # the first event at which R reached the threshold
    cluster_start: int | None  # the event with which the cluster of that alarm began


def shiryaev_roberts(
    xy: npt.ArrayLike, *, radius: float, growth: float, threshold: float
) -> Surveillance:
    """Watch events of shape (n, 2), in the order of time, for a cluster that lasts.

    R_n = Σ_k (1 + ε)^N · exp(−ε·μ), N being the events k…n within `radius` (unit of `xy`) of event
    k, μ = (events 1…n within the radius)·(n − k + 1)/n, ε = `growth` (.5: half as many again). The
    threshold is about the number of events between false alarms. Raises BadInput unless radius,
    growth and threshold are above 0. Source: Assunção & Correa 2009.
    """
    above("radius", radius, 0)
    between("growth", growth, 0, np.inf, open_ends=True)
    above("threshold", threshold, 0)
    xy = floats("xy", xy, (None, 2))
    near = np.hypot(*(xy[:, None, :] - xy[None, :, :]).transpose(2, 0, 1)) <= radius
    statistic = np.zeros(len(xy))
    for last in range(len(xy)):
        ratios = np.exp(_log_ratios(near[: last + 1, : last + 1], growth))
        statistic[last] = ratios.sum()
        if statistic[last] >= threshold:
            return Surveillance(statistic[: last + 1], last, int(np.argmax(ratios)))
    return Surveillance(statistic, None, None)


def _log_ratios(near: npt.NDArray[np.bool_], growth: float) -> Floats:
    """Log ratio of each possible start k: its cylinder against what place and time alone give."""
    events = len(near)
    inside = np.triu(near).sum(axis=1)
    expected = near.sum(axis=1) * (events - np.arange(events)) / events
    ratios: Floats = inside * np.log1p(growth) - growth * expected
    return ratios
