"""What a caller gives → arrays that formulas and compiled loops may trust, or BadInput.

Lists, arrays, Series and columns of frames are all taken by position, whatever their index. A
missing value is refused: it would switch a detector off without a word.
"""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from gis.errors import BadInput

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
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
    _check_values(name, numbers, numbers >= least, f"{least:g} or more")
    _check_values(name, numbers, numbers <= most, f"{most:g} or less")
    return numbers


def integers(
    name: str, given: npt.ArrayLike, shape: Shape = (None,), *, least: float = -np.inf
) -> Integers:
    """Whole numbers of a shape, also where they are written as floats."""
    array = np.asarray(given)
    if array.dtype.kind in "iub" and array.dtype != np.uint64:
        _check_shape(name, array, shape)
        _check_values(name, array, array >= least, f"{least:g} or more")
        return np.asarray(array, np.int64, order="C")
    numbers = floats(name, given, shape, least=least)
    _check_values(name, numbers, np.rint(numbers) == numbers, "a whole number")
    _check_values(name, numbers, np.abs(numbers) < _BEYOND, "a number of at most 18 digits")
    return numbers.astype(np.int64)


def square(weights: object, n: int) -> sparse.csr_array:
    """Weights of n places as a sparse matrix in rows, finite and 0 or more."""
    shape = getattr(weights, "shape", None)
    if shape != (n, n):
        raise BadInput(f"{n} values need weights of shape ({n}, {n}), these are {shape}")
    matrix = sparse.csr_array(weights, dtype=np.float64)
    floats("weights", matrix.data, least=0)
    return matrix


def one_of(name: str, given: str, known: Collection[str]) -> None:
    if given not in known:
        raise BadInput(f"`{name}` is {given!r}: give one of {', '.join(known)}")


def between(name: str, given: float, least: float, most: float, *, open_ends: bool = False) -> None:
    """Checks a single number; `open_ends`: the ends are not among what is right."""
    inside = least < given < most if open_ends else least <= given <= most
    if not inside:  # also NaN
        words = "above {:g} and below {:g}" if open_ends else "from {:g} to {:g}"
        raise BadInput(f"`{name}` is {given}: give a number {words.format(least, most)}")


def at_least(name: str, given: float, least: float) -> None:
    """Checks a single number, which must be finite."""
    if not least <= given < np.inf:  # also NaN
        raise BadInput(f"`{name}` is {given}: give a number of at least {least:g}")


def whole(name: str, given: int, least: int, most: int | None = None) -> int:
    """A single whole number from `least` to `most` (None: without end)."""
    right = isinstance(given, int | np.integer) and least <= given
    if not right or (most is not None and given > most):
        words = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise BadInput(f"`{name}` is {given}: give a whole number {words}")
    return int(given)


def _numbers(name: str, given: npt.ArrayLike) -> Floats:
    array = np.asarray(given)
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


def _check_values(
    name: str, array: npt.NDArray[np.generic], right: npt.NDArray[np.bool_], words: str
) -> None:
    if not right.all():
        at = np.unravel_index(int(np.argmin(right)), array.shape)
        where = ", ".join(str(int(one)) for one in at)
        raise BadInput(f"`{name}` holds {array[at]} at {where}: each must be {words}")
