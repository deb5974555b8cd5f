"""How many events of the last days there were, of which some reports are still to come."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import nbinom

from gis.analysis.inputs import between, integers, whole
from gis.errors import BadInput

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def nowcast(
    happened: npt.ArrayLike,
    received: npt.ArrayLike,
    *,
    last_day: int,
    window: int = 56,
    longest: int = 14,
    level: float = 0.95,
) -> pd.DataFrame:
    """Events by day from reports of shape (n,): the days on which each happened and was received.

    Days are whole numbers, and `last_day` is over. One row for each of the last `longest` + 1 days:
    day, reported (so far), completeness (the share of its reports that should have come by now),
    expected (in the end), low and high (of the number in the end, with probability `level`).

    The law of delays is that of the last `window` days, by its hazards in reversed time, which
    needs no day to be complete; delays beyond `longest` are left out. What is still to come is
    negative binomial, with the variance of the estimated completeness too. Raises BadInput for a
    report received before its event, or after `last_day`. Source: Kalbfleisch & Lawless 1989;
    Lawless 1994.
    """
    happened = integers("happened", happened)
    received = integers("received", received, happened.shape)
    whole("window", window, 1)
    whole("longest", longest, 1, window)
    between("level", level, 0, 1, open_ends=True)
    if (received < happened).any() or (received > last_day).any():
        raise BadInput("each report must be received from its day on, and up to `last_day`")
    age, delay = last_day - happened, received - happened
    some = (age < window) & (delay <= longest)
    completeness, variance = _completeness(age[some], delay[some], longest)
    reported = np.bincount(age[some], minlength=window)[: longest + 1].astype(np.int64)
    return pd.DataFrame(
        {
            "day": last_day - np.arange(longest + 1),
            "reported": reported,
            "completeness": completeness,
            "expected": reported / completeness,
            **_limits(reported, completeness, variance, level),
        }
    ).iloc[::-1].reset_index(drop=True)  # fmt: skip


def _completeness(age: Counts, delay: Counts, longest: int) -> tuple[Floats, Floats]:
    """Of days of each age from 0 to `longest`: the share reported, and the variance of its log."""
    delays = np.arange(1, longest + 1)
    old_enough = age >= delays[:, None]
    come = (old_enough & (delay == delays[:, None])).sum(axis=1)
    at_risk = (old_enough & (delay <= delays[:, None])).sum(axis=1)
    # A delay at which all that is known came would leave no share at all for those before.
    hazard = np.minimum(come / np.maximum(at_risk, 1), 1 - 1 / (at_risk + 2))
    each = hazard / ((1 - hazard) * np.maximum(at_risk, 1))
    later = np.append(np.cumprod((1 - hazard)[::-1])[::-1], 1.0)
    return later, np.append(np.cumsum(each[::-1])[::-1], 0.0)


def _limits(
    reported: Counts, completeness: Floats, variance: Floats, level: float
) -> dict[str, Counts]:
    seen = reported + 0.5  # so that a day without any report may still have some
    missing = seen * (1 - completeness) / completeness
    spread = 1 / completeness + (seen / completeness) ** 2 * variance / np.maximum(missing, 1e-12)
    law = nbinom(missing / np.maximum(spread - 1, 1e-12), 1 / spread)
    limits = {"low": (1 - level) / 2, "high": (1 + level) / 2}
    return {
        name: reported + np.where(missing > 0, law.ppf(share), 0).astype(np.int64)
        for name, share in limits.items()
    }
