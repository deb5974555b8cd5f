"""Numbers by declared or proven notation: `1.234` is asked, not guessed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import AmbiguousInput, BadInput
from gis.intake.numbers import Notation, parse_numbers


def numbers(values: list[str | None], format: str | None = None) -> list[float]:
    return parse_numbers(values, format).numbers.tolist()


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["12", "-5", "+7"], [12, -5, 7]),
        (["12,5", "1.234"], [12.5, 1234]),
        (["1.234,5", "1.234"], [1234.5, 1234]),
        (["1.234.567"], [1234567]),
        (["1,234,567.8", "1,234"], [1234567.8, 1234]),
        (["12.5", "1,234"], [12.5, 1234]),
        (["0.123", "1.234"], [0.123, 1.234]),
        (["103.9719", "22.479"], [103.9719, 22.479]),
        (["1 234,5", "1\u00a0234"], [1234.5, 1234]),
        (["−5,5", "–3"], [-5.5, -3]),
        (["1e5", "12"], [100000, 12]),
    ],
)
def test_a_value_that_admits_one_reading_proves_it_for_its_column(
    values: list[str | None], read: list[float]
) -> None:
    assert numbers(values) == read


def test_what_admits_both_readings_is_asked() -> None:
    with pytest.raises(AmbiguousInput) as caught:
        parse_numbers(["1.234", "2.500"], column="diện tích")
    message = str(caught.value)
    assert "cột “diện tích”" in message and "column “diện tích”" in message
    assert "“1.234” là 1234 hay (or) 1.234" in message
    assert "--number-format decimal_comma" in message


@pytest.mark.parametrize(
    ("format", "read"), [("decimal_comma", [1234, 2500]), ("decimal_point", [1.234, 2.5])]
)
def test_a_declared_notation_answers_the_question(format: str, read: list[float]) -> None:
    assert numbers(["1.234", "2.500"], format) == read


def test_degrees_prove_the_decimal_point() -> None:
    """No longitude is 103 972 degrees."""
    column = parse_numbers(["103.972", "+22.481"], at_most=180)
    assert column.numbers.tolist() == [103.972, 22.481]
    assert column.notation is Notation.DECIMAL_POINT


def test_values_that_prove_both_notations_are_asked() -> None:
    with pytest.raises(AmbiguousInput, match="prove opposite notations"):
        parse_numbers(["12,5", "12.5"])


def test_under_a_declared_notation_the_others_are_faults_of_their_rows() -> None:
    column = parse_numbers(["12,5", "12.5", "13,5"], "decimal_comma")
    np.testing.assert_array_equal(column.numbers, [12.5, np.nan, 13.5])
    assert list(column.faults) == [1] and "“12.5”" in column.faults[1]


def test_empty_values_are_no_numbers_and_no_faults() -> None:
    column = parse_numbers(["", None, "  ", "5"])
    np.testing.assert_array_equal(column.numbers, [np.nan, np.nan, np.nan, 5])
    assert column.faults == {}


@pytest.mark.parametrize(
    "value", ["abc", "nan", "inf", "5 km", "12..5", "1.23.456", "-", ",", "1,2,3"]
)
def test_what_is_no_number_is_a_fault(value: str) -> None:
    column = parse_numbers(["7", value])
    assert np.isnan(column.numbers[1]) and value in column.faults[1]


def test_another_notation_than_the_two_is_reported() -> None:
    with pytest.raises(BadInput, match="decimal_comma, decimal_point"):
        parse_numbers(["1"], "comma")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1))
def test_no_column_is_ever_read_as_other_numbers(values: list[object]) -> None:
    """Written the Vietnamese way, a column gives its own numbers."""
    written = [f"{value:,}".translate(str.maketrans(",.", ".,")) for value in values]
    np.testing.assert_allclose(numbers(list(written)), [float(str(value)) for value in values])
