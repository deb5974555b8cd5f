"""Arguments of a caller → arrays that formulas and compiled loops may trust, or BadInput.

Lists, arrays, Series and columns of frames are all taken by position, whatever their index. A
missing value is refused: it would switch a detector off without a word.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from gis.errors import BadInput

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Shape = Sequence[int | None]  # None: any length

_BEYOND = 2.0**62  # whole numbers from here on may not be exact


def floats(
    name: str,
    given: npt.ArrayLike,
    shape: Shape = (None,),
    *,
    least: float = -np.inf,
    most: float = np.inf,
) -> Floats:
    """Finite numbers of a shape, from `least` to `most`, in C order."""
    numbers = _numbers(name, given)
    _check_shape(name, numbers, shape)
    _check_values(name, numbers, np.isfinite(numbers), "a finite number: fill or drop it")
    _check_range(name, numbers, least, most)
    return numbers


def integers(
    name: str,
    given: npt.ArrayLike,
    shape: Shape = (None,),
    *,
    least: float = -np.inf,
    most: float = np.inf,
) -> Integers:
    """Whole numbers of a shape, also where they are written as floats."""
    array = _array(name, given)
    if array.dtype.kind in "iub":
        _check_shape(name, array, shape)
        if array.dtype == np.uint64:
            _check_values(name, array, array < 2**62, "a number of at most 18 digits")
        _check_range(name, array, least, most)
        return np.asarray(array, np.int64, order="C")
    numbers = floats(name, array, shape, least=least, most=most)
    _check_values(name, numbers, np.rint(numbers) == numbers, "a whole number")
    _check_values(name, numbers, np.abs(numbers) < _BEYOND, "a number of at most 18 digits")
    return numbers.astype(np.int64)


def flags(name: str, given: npt.ArrayLike, shape: Shape = (None,)) -> Flags:
    """Yes or no of a shape, also where they are written as 1 and 0."""
    return integers(name, given, shape, least=0, most=1) > 0


def square(weights: Any, n: int) -> sparse.csr_array:
    """Weights of n places as a sparse matrix in rows, finite and 0 or more."""
    matrix = rows(weights, n)
    try:
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise BadInput(f"`weights` is no whole matrix: {error}") from error
    floats("weights", matrix.data, least=0)
    return matrix


def rows(weights: Any, n: int) -> sparse.csr_array:
    """Weights of n places as `square` gives them, but with nothing but their shape checked."""
    shape = getattr(weights, "shape", None)
    if shape != (n, n):
        raise BadInput(f"{n} values need weights of shape ({n}, {n}), these are {shape}")
    if isinstance(weights, sparse.csr_array) and weights.dtype == np.float64:
        return weights
    whole = weights if sparse.issparse(weights) else _numbers("weights", weights)
    return sparse.csr_array(whole, dtype=np.float64)


def one_of(name: str, given: str, known: Collection[str]) -> None:
    if given not in known:
        raise BadInput(f"`{name}` is {given!r}: give one of {', '.join(known)}")


def between(name: str, given: float, least: float, most: float, *, open_ends: bool = False) -> None:
    """Checks a single number; `open_ends`: the ends are not among what is right."""
    inside = least < given < most if open_ends else least <= given <= most
    if not inside:  # also NaN
        words = "above {:g} and below {:g}" if open_ends else "from {:g} to {:g}"
        raise BadInput(f"`{name}` is {given}: give a number {words.format(least, most)}")


def above(name: str, given: float, least: float) -> None:
    """Checks a single number, which may be infinite."""
    if not given > least:  # also NaN
        raise BadInput(f"`{name}` is {given}: give a number above {least:g}")


def at_least(name: str, given: float, least: float) -> None:
    """Checks a single number, which must be finite."""
    if not least <= given < np.inf:  # also NaN
        raise BadInput(f"`{name}` is {given}: give a number of at least {least:g}")


def whole(name: str, given: int, least: int | None = None, most: int | None = None) -> int:
    """A single whole number from `least` to `most` (None: without end)."""
    right = isinstance(given, int | np.integer) and (least is None or least <= given)
    if not right or (most is not None and given > most):
        words = "" if least is None else f" of at least {least}"
        words = words if most is None else f" from {least} to {most}"
        raise BadInput(f"`{name}` is {given}: give a whole number{words}")
    return int(given)


def _array(name: str, given: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        return np.asarray(given)
    except ValueError as error:  # lists of unequal lengths
        raise BadInput(f"`{name}` is no array: {error}") from error


def _numbers(name: str, given: npt.ArrayLike) -> Floats:
    array = _array(name, given)
    if array.dtype.kind not in "iufbO" and array.size:
        raise BadInput(f"`{name}` holds {array.dtype} and no numbers")
    try:
        return np.asarray(array, np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise BadInput(f"`{name}` holds what is no number: {error}") from error


def _check_shape(name: str, array: npt.NDArray[np.generic], shape: Shape) -> None:
    fits = array.ndim == len(shape) and all(
        wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
    )
    if not fits:
        words = ", ".join("any" if wanted is None else str(wanted) for wanted in shape)
        raise BadInput(f"`{name}` has shape {array.shape}, it must have ({words})")


def _check_range(name: str, array: npt.NDArray[Any], least: float, most: float) -> None:
    if least > -np.inf:
        _check_values(name, array, array >= least, f"{least:g} or more")
    if most < np.inf:
        _check_values(name, array, array <= most, f"{most:g} or less")


def _check_values(name: str, array: npt.NDArray[np.generic], right: Flags, words: str) -> None:
    if not right.all():
        at = np.unravel_index(int(np.argmin(right)), array.shape)
        where = ", ".join(str(int(one)) for one in at)
        raise BadInput(f"`{name}` holds {array[at]} at {where}: each must be {words}")
