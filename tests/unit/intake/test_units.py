"""Numbers in other units: exact, in their notation, and never a number in the wrong unit."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from gis.intake.units import _TABLE, check_units, converted, known_units, scaled, unit_code

# By the SI Brochure; 1 kn = 1852 m an hour; hm3: a million cubic metres, as reservoirs are told.
KNOWN = [
    ("82350", "mm", "m", "82.35"),
    ("8235", "cm", "m", "82.35"),
    ("1.5", "m", "mm", "1500"),
    ("1", "ha", "m2", "10000"),
    ("250", "ha", "km2", "2.5"),
    ("1.25", "km²", "ha", "125"),
    ("36", "km/h", "m/s", "10"),
    ("10", "kn", "km/h", "18.52"),
    ("10", "kn", "m/s", "5.14444444444444"),
    ("12.5", "hm3", "m3", "12500000"),
    ("1500", "L/s", "m³/s", "1.5"),
    ("7200", "m3/h", "m3/s", "2"),
    ("25", "°C", "K", "298.15"),
    ("98.6", "°F", "°C", "37"),
    ("-40", "°C", "°F", "-40"),
    ("1013.25", "hPa", "kPa", "101.325"),
    ("24", "mm/d", "mm/h", "1"),
    ("90", "min", "h", "1.5"),
    ("45", "%", "1", "0.45"),
    ("2", "MWh", "kWh", "2000"),
    ("1e3", "mm", "m", "1"),
    ("0", "mm", "m", "0"),
    ("1.234,5", "mm", "m", "1,2345"),
    ("82,35", "cm", "m", "0,8235"),
]


@pytest.mark.parametrize(("text", "source", "target", "expected"), KNOWN)
def test_a_number_is_converted_exactly_in_its_notation(text, source, target, expected):
    check_units(source, target)
    assert converted(text, source, target) == expected


@pytest.mark.parametrize("text", ["1,234", "1.234.567", "12 345", "82.35 cm", "~5", "1,2,3"])
def test_what_may_be_two_numbers_or_none_is_no_number_afterwards(text):
    made = converted(text, "cm", "m")
    assert made == f"{text} cm"
    with pytest.raises(ArithmeticError):
        Decimal(made.replace(",", "."))
    assert scaled(text, 0.01) == f"{text} × 0.01"


@pytest.mark.parametrize("text", ["", " ", "không rõ", "-"])
def test_what_has_no_digit_stays(text):
    assert converted(text, "cm", "m") == scaled(text, 2) == text


PAIRS = [(a, b) for a, (kind, *_) in _TABLE.items() for b, (of, *_) in _TABLE.items() if kind == of]


@given(
    st.sampled_from(PAIRS),
    st.decimals(-(10**9), 10**9, places=4, allow_nan=False, allow_infinity=False),
)
def test_there_and_back_is_the_same_number(pair, number):
    source, target = pair
    back = Fraction(converted(converted(format(number, "f"), source, target), target, source))
    assert abs(back - Fraction(number)) <= abs(Fraction(number)) * Fraction(1, 10**12) + Fraction(
        1, 10**9
    )


@given(st.sampled_from(PAIRS), st.lists(st.integers(-(10**9), 10**9), min_size=2, max_size=2))
def test_what_is_more_stays_more(pair, numbers):
    low, high = sorted(numbers)
    made = [Fraction(converted(str(each), *pair)) for each in (low, high)]
    assert made[0] <= made[1]
    assert (made[0] == made[1]) == (low == high)


def test_units_of_other_kinds_and_unknown_ones_are_refused():
    with pytest.raises(BadInput, match="`mm` is a length and `m³/s` a flow"):
        check_units("mm", "m³/s")
    with pytest.raises(BadInput, match="`tấc` is none of the units"):
        check_units("tấc", "m")


@pytest.mark.parametrize("name", known_units())
def test_each_spelling_is_a_unit_of_the_table(name):
    assert unit_code(name) in _TABLE
    check_units(name, name)
    assert converted("12.5", name, name) == "12.5"
