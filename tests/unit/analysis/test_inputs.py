"""What the functions of analysis take as arrays, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gis.analysis.inputs import (
    above,
    at_least,
    between,
    flags,
    floats,
    integers,
    one_of,
    square,
    whole,
)
from gis.errors import BadInput


@pytest.mark.parametrize(
    "given",
    [
        [1, 0, 3],
        (1.0, 0.0, 3.0),
        np.array([1, 0, 3], np.uint8),
        np.array([9, 1, 9, 0, 9, 3])[1::2],
        pd.Series([1, 0, 3], index=[7, 7, 2]),
        pd.array([1, 0, 3], dtype="Int64"),
    ],
)
def test_lists_series_and_arrays_are_taken_by_position(given):
    for found, dtype in ((floats("x", given), np.float64), (integers("x", given), np.int64)):
        assert found.tolist() == [1, 0, 3]
        assert found.dtype == dtype and found.flags.c_contiguous


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1, np.nan], r"`x` holds nan at 1: each must be a finite number: fill or drop it"),
        ([1, np.inf], "holds inf at 1"),
        ([1, None], "a finite number|no number"),
        (pd.array([1, None], dtype="Int64"), "finite number|no number"),
        (["a"], "`x` holds <U1 and no numbers"),
        (np.array(["2026-01-01"], "datetime64[D]"), "and no numbers"),
        ([[1], [2, 3]], "`x` is no array"),
        ([[1, 2]], r"`x` has shape \(1, 2\), it must have \(any\)"),
        (3, r"has shape \(\)"),
        ([1, -2], "`x` holds -2(.0)? at 1: each must be 0 or more"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused_with_its_place(given, words):
    for taken in (floats, integers):
        with pytest.raises(BadInput, match=words):
            taken("x", given, least=0)


@pytest.mark.parametrize("given", [[1.5], [1e19], np.array([2**64 - 1], np.uint64)])
def test_whole_numbers_are_whole_and_exact(given):
    with pytest.raises(BadInput, match=r"`x` holds .* at 0"):
        integers("x", given)


def test_great_whole_numbers_keep_all_their_digits():
    assert integers("x", np.array([2**60 + 1], np.uint64)).tolist() == [2**60 + 1]


def test_a_shape_is_asked_for_and_the_place_of_a_fault_is_given_by_row_and_column():
    assert floats("x", [[1, 2]], (1, None)).shape == (1, 2)
    with pytest.raises(BadInput, match=r"shape \(1, 2\), it must have \(any, 3\)"):
        floats("x", [[1, 2]], (None, 3))
    with pytest.raises(BadInput, match="holds nan at 1, 0"):
        floats("x", [[1, 2], [np.nan, 3]], (2, 2))


def test_nothing_is_an_array_too():
    assert floats("x", []).tolist() == integers("x", []).tolist() == []


@pytest.mark.parametrize("kind", [np.array, sparse.coo_array, sparse.csr_matrix])
def test_weights_of_any_kind_become_rows(kind):
    found = square(kind([[0, 1], [2, 0]]), 2)
    assert isinstance(found, sparse.csr_array)
    assert found.toarray().tolist() == [[0, 1], [2, 0]]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.eye(3), r"2 values need weights of shape \(2, 2\), these are \(3, 3\)"),
        (np.array([[0, -1], [1, 0]]), "`weights` holds -1.0"),
        (np.array([[0, np.nan], [1, 0]]), "`weights` holds nan"),
        (None, "these are None"),
    ],
)
def test_other_weights_are_refused(weights, words):
    with pytest.raises(BadInput, match=words):
        square(weights, 2)


def test_weights_that_point_outside_their_matrix_are_refused():
    astray = sparse.csr_array((np.ones(2), np.array([0, 99]), np.array([0, 1, 2])), shape=(2, 2))
    with pytest.raises(BadInput, match="`weights` is no whole matrix"):
        square(astray, 2)


def test_flags_are_yes_or_no_however_they_are_written():
    assert flags("x", [True, False]).tolist() == flags("x", [1.0, 0]).tolist() == [True, False]
    with pytest.raises(BadInput, match="`x` holds 2 at 1: each must be 1 or less"):
        flags("x", [0, 2])


def test_words_and_single_numbers_are_checked():
    one_of("method", "C1", ("C1", "C2"))
    with pytest.raises(BadInput, match="`method` is 'c1': give one of C1, C2"):
        one_of("method", "c1", ("C1", "C2"))
    between("share", 1, 0, 1)
    with pytest.raises(BadInput, match="`alpha` is 1: give a number above 0 and below 1"):
        between("alpha", 1, 0, 1, open_ends=True)
    with pytest.raises(BadInput, match="`share` is nan: give a number from 0 to 1"):
        between("share", np.nan, 0, 1)
    above("radius", np.inf, 0)
    for wrong in (0, np.nan):
        with pytest.raises(BadInput, match=f"`radius` is {wrong}: give a number above 0"):
            above("radius", wrong, 0)


@pytest.mark.parametrize("given", [2, 5, np.int16(3)])
def test_a_single_whole_number_is_taken(given):
    assert whole("years", given, 2, 5) == given


@pytest.mark.parametrize("given", [1, 6, 2.5, np.nan, "3", None])
def test_what_is_no_whole_number_between_is_refused(given):
    with pytest.raises(BadInput, match=r"`years` is .*: give a whole number from 2 to 5"):
        whole("years", given, 2, 5)


def test_a_single_number_has_a_least():
    at_least("least_sd", 0, 0)
    for given in (-0.1, np.nan, np.inf):
        with pytest.raises(BadInput, match=r"`least_sd` is .*: give a number of at least 0"):
            at_least("least_sd", given, 0)
    with pytest.raises(BadInput, match="give a whole number of at least 1"):
        whole("years", 0, 1)
    assert whole("day", -5) == -5
    with pytest.raises(BadInput, match=r"`day` is 1.5: give a whole number$"):
        whole("day", 1.5)
