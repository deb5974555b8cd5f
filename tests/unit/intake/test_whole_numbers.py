"""Whole numbers of a column of text: every digit, or a fault that names the limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import AmbiguousInput
from gis.intake.numbers import (
    MAX_INTEGER,
    MIN_INTEGER,
    Notation,
    parse_integers,
    parse_numbers,
)

EDGES = (2**31, 2**53, 2**63, 10**15)
NEAR_EDGES = st.builds(
    lambda edge, step, sign: sign * (edge + step),
    st.sampled_from(EDGES),
    st.integers(-3, 3),
    st.sampled_from((1, -1)),
)


@given(st.lists(NEAR_EDGES | st.integers() | st.none()))
def test_each_whole_number_is_exact_or_a_fault(numbers: list[int | None]) -> None:
    column = parse_integers(["" if number is None else str(number) for number in numbers])
    for row, number in enumerate(numbers):
        fits = number is None or MIN_INTEGER <= number <= MAX_INTEGER
        assert column.integers[row] == (number if fits else None)
        assert (row in column.faults) == (not fits)


@given(NEAR_EDGES, st.sampled_from(list(Notation)))
def test_grouped_numbers_are_as_exact(number: int, notation: Notation) -> None:
    text = f"{number:,}"
    if notation is Notation.DECIMAL_COMMA:
        text = text.replace(",", ".")
    column = parse_integers([text], notation)
    fits = MIN_INTEGER <= number <= MAX_INTEGER
    assert column.integers == [number if fits else None]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,765", 1765), ("1.765", 1765), ("12.000,0", 12000), ("1e3", 1000), ("-0", 0), ("7.0", 7)],
)
def test_what_has_one_whole_reading_is_not_asked_about(text: str, number: int) -> None:
    assert parse_integers([text, "2"]).integers == [number, 2]


@pytest.mark.parametrize("values", [["1,000"], ["1,765", "2.431"]])
def test_what_has_two_whole_readings_is_asked_about(values: list[str]) -> None:
    with pytest.raises(AmbiguousInput, match="--number-format"):
        parse_integers(values)


@pytest.mark.parametrize("text", ["1.23457E+17", "9007199254740993.0", "9.007199254740993e15"])
def test_lost_digits_are_a_fault(text: str) -> None:
    assert "last digits" in parse_integers([text]).faults[0]


@pytest.mark.parametrize(
    "text", ["9223372036854775808", "1e400", "1e99999999999999999999", "9" * 5000, "-1e19"]
)
def test_what_is_beyond_a_bigint_names_the_limit(text: str) -> None:
    assert str(MAX_INTEGER) in parse_integers([text]).faults[0]


@pytest.mark.parametrize("text", ["1.5", "1e-99999999999999999999", "NaN", "inf", "x"])
def test_what_is_no_whole_number_is_a_fault(text: str) -> None:
    column = parse_integers([text, "3"])
    assert column.integers == [None, 3] and set(column.faults) == {0}


@pytest.mark.parametrize("text", ["1e400", "-1e400", "9" * 400, "NaN", "inf"])
def test_no_number_is_infinite(text: str) -> None:
    column = parse_numbers([text, "1e308"])
    assert set(column.faults) == {0} and column.numbers[1] == 1e308


def test_a_double_that_would_change_a_whole_number_says_so() -> None:
    column = parse_numbers(["9007199254740993", "9007199254740992", "0.1234567890123456789"])
    assert set(column.faults) == {0}
    assert "beyond 2^53" in column.faults[0]
