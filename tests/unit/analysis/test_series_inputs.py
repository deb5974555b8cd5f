"""What detectors of series take, and what they refuse in plain words: none falls silent."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from gis.analysis import (
    ears,
    farrington,
    farrington_flexible,
    nb_cusum,
    newest_cusum,
    newest_ears,
    newest_farrington,
)
from gis.errors import BadInput

WEEKS = np.random.default_rng(3).poisson(6, 4 * 52 + 6)
USUAL = np.full(len(WEEKS), 6.0)
DETECTORS = {
    "ears": ears,
    "farrington": farrington,
    "farrington_flexible": partial(farrington_flexible, years=4),
    "nb_cusum": lambda counts: nb_cusum(counts, USUAL),
}
NEWEST = {
    "newest_ears": newest_ears,
    "newest_farrington": newest_farrington,
    "newest_flexible": partial(newest_farrington, flexible=True),
    "newest_cusum": newest_cusum,
}
SHAPES = {
    "list": np.ndarray.tolist,
    "float": lambda counts: counts.astype(float),
    "uint8": lambda counts: counts.astype(np.uint8),
    "int32": lambda counts: counts.astype(np.int32),
    "series": lambda counts: pd.Series(counts, index=np.arange(len(counts))[::-1] * 2),
    "nullable": lambda counts: pd.Series(counts, dtype="Int64"),
    "dated": lambda counts: pd.Series(
        counts, index=pd.date_range("2020-01-06", periods=len(counts), freq="W")
    ),
    "strided": lambda counts: np.repeat(counts, 2)[::2],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", DETECTORS)
def test_counts_may_come_as_lists_series_and_any_kind_of_number(name, shape):
    pd.testing.assert_frame_equal(
        DETECTORS[name](SHAPES[shape](WEEKS)), DETECTORS[name](WEEKS), check_exact=True
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NEWEST)
def test_so_may_those_of_which_the_newest_is_judged(name, shape):
    found, plain = NEWEST[name](SHAPES[shape](WEEKS)), NEWEST[name](WEEKS)
    assert (found, found.p) == (plain, plain.p)


def put(value):
    return np.where(np.arange(len(WEEKS)) == 100, value, WEEKS)


@pytest.mark.parametrize("name", [*DETECTORS, *NEWEST])
@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (put(np.nan), "`counts` holds nan at 100"),
        (put(np.inf), "`counts` holds inf at 100"),
        (put(-1), r"`counts` holds -1(\.0)? at 100: each must be 0 or more"),
        (put(-1.0), r"`counts` holds -1(\.0)? at 100: each must be 0 or more"),
        (WEEKS[None, :], r"`counts` has shape \(1, 214\), it must have \(any\)"),
        (["many"], "`counts` holds <U4 and no numbers"),
        (pd.Series([1, None, 2], dtype="Int64"), "`counts` holds"),
    ],
)
def test_counts_that_are_none_are_refused_with_their_place(name, counts, words):
    with pytest.raises(BadInput, match=words):
        (DETECTORS | NEWEST)[name](counts)


@pytest.mark.parametrize("name", sorted((DETECTORS | NEWEST).keys() - {"ears"}))
def test_half_a_case_is_no_count(name):
    with pytest.raises(BadInput, match=r"holds 2\.5 at 100: each must be a whole number"):
        (DETECTORS | NEWEST)[name](put(2.5))


@pytest.mark.parametrize(
    ("detector", "options", "words"),
    [
        (ears, {"method": "C4"}, "`method` is 'C4': give one of C1, C2, C3"),
        (ears, {"alpha": 0}, "`alpha` is 0: give a number above 0 and below 1"),
        (ears, {"alpha": 2}, "`alpha` is 2"),
        (ears, {"alpha": np.nan}, "`alpha` is nan"),
        (ears, {"baseline": 1}, "`baseline` is 1: give a whole number of at least 2"),
        (ears, {"baseline": 7.5}, "`baseline` is 7.5"),
        (ears, {"least_sd": -1}, "`least_sd` is -1: give a number of at least 0"),
        (ears, {"least_sd": np.nan}, "`least_sd` is nan"),
        (newest_ears, {"method": "C4"}, "`method` is 'C4'"),
        (newest_ears, {"baseline": 1}, "`baseline` is 1"),
        (newest_farrington, {"years": 0}, "`years` is 0"),
        (newest_cusum, {"baseline": 1}, "`baseline` is 1"),
        (newest_cusum, {"steps": 1}, "`steps` is 1"),
        (newest_cusum, {"ratio": 1}, "`ratio` is 1"),
        *[
            (detector, options, words)
            for detector in (farrington, farrington_flexible)
            for options, words in [
                ({"years": 0}, "`years` is 0: give a whole number of at least 1"),
                ({"years": 1.5}, "`years` is 1.5"),
                ({"period": 0}, "`period` is 0"),
                ({"half_window": -1}, "`half_window` is -1: give a whole number from 0 to 25"),
                ({"half_window": 26}, "`half_window` is 26"),
                ({"half_window": 60}, "`half_window` is 60"),
                ({"half_window": 0, "years": 1}, "one step has no spread"),
                ({"alpha": 0}, "`alpha` is 0"),
                ({"alpha": 1}, "`alpha` is 1"),
                ({"alpha": np.nan}, "`alpha` is nan"),
                ({"start": -1}, "`start` is -1"),
            ]
        ],
        (
            farrington_flexible,
            {"alpha": 0.5},
            "`alpha` is 0.5: give a number above 0 and below 0.5",
        ),
        (farrington_flexible, {"method": "muan"}, "`method` is 'muan': give one of nb, delta"),
        (farrington_flexible, {"levels": 1}, "`levels` is 1: give a whole number from 2 to 46"),
        (farrington_flexible, {"levels": 47}, "`levels` is 47"),
        (farrington_flexible, {"gap": -1}, "`gap` is -1: give a whole number from 0 to 48"),
        (farrington_flexible, {"gap": 49}, "`gap` is 49"),
    ],
)
def test_options_without_meaning_are_refused(detector, options, words):
    with pytest.raises(BadInput, match=words):
        detector(WEEKS, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ratio": 1}, "`ratio` is 1"),
        ({"ratio": np.inf}, "`ratio` is inf"),
        ({"ratio": np.nan}, "`ratio` is nan"),
        ({"dispersion": -0.1}, "`dispersion` is -0.1: give a number of at least 0"),
        ({"dispersion": np.nan}, "`dispersion` is nan"),
        ({"threshold": 0}, "`threshold` above 0"),
        ({"threshold": np.nan}, "`threshold` above 0"),
        ({"expected": 0 * USUAL}, "each of `expected` above 0"),
        ({"expected": np.nan * USUAL}, "`expected` holds nan at 0"),
        ({"expected": USUAL[:9]}, r"`expected` has shape \(9,\), it must have \(214\)"),
    ],
)
def test_a_cusum_without_meaning_is_refused(options, words):
    with pytest.raises(BadInput, match=words):
        nb_cusum(**{"counts": WEEKS, "expected": USUAL} | options)


@pytest.mark.parametrize("years", [1, 2, 3])
def test_the_widest_and_the_narrowest_windows_are_taken(years):
    for half in (0, 25):
        if (years, half) != (1, 0):
            assert len(farrington(WEEKS, years=years, half_window=half))
            assert len(farrington_flexible(WEEKS, years=years, half_window=half, levels=2, gap=0))


def test_no_counts_are_no_rows():
    assert ears([]).empty and farrington([]).empty and farrington_flexible([]).empty
    assert nb_cusum([], []).empty
    assert newest_ears([]) is None and newest_farrington([]) is None and newest_cusum([]) is None
