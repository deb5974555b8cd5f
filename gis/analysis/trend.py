"""Mann–Kendall: does a series rise or fall, whatever its shape."""

import numba
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from gis.analysis.inputs import between, floats

Floats = npt.NDArray[np.float64]


def mann_kendall(series: npt.ArrayLike, *, alpha: float = 0.05) -> pd.DataFrame:
    """The trend of each row of `series`, shape (n, T), oldest step first.

    One row a series: s, var_s = [T(T−1)(2T+5) − Σ t(t−1)(2t+5)]/18 over ties of size t, z (with the
    correction by 1), p (two-sided, normal), tau = S/(T(T−1)/2), trend (1 rising, −1 falling, 0 none
    at `alpha`). A constant series, or fewer than 2 steps, has p 1. Raises BadInput for NaN or ±∞.
    Source: Mann 1945; Kendall 1975.
    """
    between("alpha", alpha, 0, 1)
    series = floats("series", series, (None, None))
    steps = series.shape[1]
    s, var_s = _scores(series)
    root = np.sqrt(var_s)
    z = np.divide(s - np.sign(s), root, out=np.zeros(len(s)), where=root > 0)
    p = 2.0 * ndtr(-np.abs(z))
    pairs = steps * (steps - 1) / 2
    trend = np.where(p < alpha, np.sign(s), 0).astype(np.int64)
    tau = s / pairs if pairs else np.zeros(len(s))
    return pd.DataFrame({"s": s, "var_s": var_s, "z": z, "p": p, "tau": tau, "trend": trend})


@numba.njit(cache=True)
def _scores(series: Floats) -> tuple[Floats, Floats]:
    rows, steps = series.shape
    s = np.zeros(rows)
    var_s = np.empty(rows)
    for row in range(rows):
        score = 0
        for later in range(1, steps):
            for earlier in range(later):
                rise = series[row, later] - series[row, earlier]
                score += (rise > 0) - (rise < 0)
        s[row] = score
        var_s[row] = _variance(np.sort(series[row]))
    return s, var_s


@numba.njit(cache=True)
def _variance(ordered: Floats) -> float:
    steps = len(ordered)
    variance = steps * (steps - 1) * (2 * steps + 5)
    start = 0
    for at in range(1, steps + 1):
        if at == steps or ordered[at] != ordered[start]:
            tied = at - start
            variance -= tied * (tied - 1) * (2 * tied + 5)
            start = at
    return variance / 18.0
