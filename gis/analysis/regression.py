"""Quasi-Poisson regression of counts with log link, with less weight on past outbreaks."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy
from scipy.stats import t

Floats = npt.NDArray[np.float64]

LEAST = 1e-9  # of a mean at the step being judged
# Multiplications, and numbers, of which OpenBLAS makes one thread.
_LARGEST_PRODUCT, _LARGEST_MATRIX = 2**18, 2**13


@dataclass(frozen=True, slots=True)
class Fit:
    """Fit to a design whose first column is 1 and whose others are 0 at the step being judged.

    Where there is a trend it is the second column.
    """

    coefficients: Floats
    covariance: Floats  # before the dispersion
    fitted: Floats
    leverage: Floats
    dispersion: float
    freedom: int

    def level(self) -> float:
        """The mean at the step being judged, where a steep trend may lead to 0 or beyond all."""
        return float(np.exp(np.clip(self.coefficients[0], np.log(LEAST), 700)))

    def trend_p(self) -> float:
        error = np.sqrt(max(self.dispersion, 1e-12) * self.covariance[1, 1])
        return float(2 * t.sf(abs(self.coefficients[1] / error), self.freedom))


def reweighted(
    design: Floats,
    past: Floats,
    outlying: float,
    offset: Floats | None = None,
    ridge: Floats | None = None,
) -> Fit:
    """Fitted, and again with weights 1/s² where the Anscombe residual s is above `outlying`.

    Source: Farrington et al. 1996 (`outlying` 1); Noufaily et al. 2013 (2.58).
    """
    first = fit(design, past, np.ones(len(past)), offset, ridge)
    scale = np.sqrt(max(first.dispersion, 1.0) * np.maximum(1 - first.leverage, 0.0))
    residual = 1.5 * (past ** (2 / 3) * first.fitted ** (-1 / 6) - np.sqrt(first.fitted))
    # A count that alone decides its mean, of leverage 1, has no residual.
    anscombe = np.divide(residual, scale, out=np.zeros(len(past)), where=scale > 1e-6)
    weight = np.where(anscombe > outlying, 1 / np.maximum(anscombe, outlying) ** 2, 1.0)
    return fit(design, past, weight * len(past) / weight.sum(), offset, ridge)


def fit(
    design: Floats,
    past: Floats,
    weight: Floats,
    offset: Floats | None = None,
    ridge: Floats | None = None,
) -> Fit:
    """Iteratively reweighted least squares (McCullagh & Nelder 1989, §2.5).

    `offset`: known logarithms, by which each mean is multiplied. `ridge`: of each coefficient
    1/τ², where it is thought to be within τ of 0; 0 where nothing is.
    Stops at a relative change of deviance of 1e-8, with the covariance of the last working weights,
    as R's glm does: published bounds depend on it in their sixth digit.
    """
    known = np.zeros(len(past)) if offset is None else offset
    penalty = np.diag(np.zeros(design.shape[1]) if ridge is None else ridge)
    mean, deviance = past + 0.1, np.inf
    least = np.finfo(float).eps  # of a mean: a steep trend would make it 0, as in R
    parts = _parts(design)
    for _ in range(25):
        working = weight * mean
        information = sum((x.T @ (working[at, None] * x) for at, x in parts), start=penalty)
        response = working * (np.log(mean) - known + (past - mean) / mean)
        target = sum((x.T @ response[at] for at, x in parts), start=np.zeros(len(penalty)))
        coefficients = np.linalg.solve(information, target)
        linear = np.concatenate([x @ coefficients for _, x in parts])
        mean = np.maximum(np.exp(linear + known), least)
        before, deviance = deviance, _deviance(past, mean, weight)
        if abs(deviance - before) / (abs(deviance) + 0.1) < 1e-8:
            break
    covariance = np.linalg.inv(information)
    leverage = working * np.concatenate([((x @ covariance) * x).sum(axis=1) for _, x in parts])
    # What a ridge holds back of a coefficient leaves as much freedom to the residuals.
    freedom = len(past) - (design.shape[1] if ridge is None else round(float(leverage.sum())))
    dispersion = float((working * ((past - mean) / mean) ** 2).sum()) / freedom
    return Fit(coefficients, covariance, mean, leverage, dispersion, freedom)


def _parts(design: Floats) -> list[tuple[slice, Floats]]:
    """The rows in parts so small that BLAS starts no threads for their products: on a busy machine
    these wait for each other for longer than the product takes.
    """
    columns = design.shape[1]
    rows = max(1, min(_LARGEST_PRODUCT // columns**2, _LARGEST_MATRIX // columns))
    starts = range(0, len(design), rows)
    return [(slice(at, at + rows), design[at : at + rows]) for at in starts]


def _deviance(past: Floats, mean: Floats, weight: Floats) -> float:
    return float(2 * (weight * (xlogy(past, past / mean) - (past - mean))).sum())
