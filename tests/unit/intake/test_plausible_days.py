"""Days that no record can bear: each rule by its examples, and questions on whole columns."""

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pytest

from gis.errors import AmbiguousInput
from gis.intake.dates import ImplausibleYear, parse_dates
from gis.intake.plausible_days import (
    RULES,
    USUAL_FIRST,
    DayBounds,
    ask_about_days,
    implausible_days,
    implausible_instants,
)

TODAY = date(2026, 11, 30)
USUAL = DayBounds(USUAL_FIRST, TODAY + timedelta(days=366))
OLD = DayBounds(date(1890, 1, 1), TODAY + timedelta(days=366), declared=True)
WIDE = DayBounds(date(1800, 1, 1), date(2100, 12, 31), declared=True)
HERE = timezone(timedelta(hours=7))


def faults(days, bounds):
    return implausible_days(np.array(days, "datetime64[D]"), bounds)


@pytest.mark.parametrize(
    ("name", "day"), [(name, day) for name, rule in RULES.items() for day in rule.examples]
)
def test_each_example_of_a_rule_is_caught_by_it_and_by_no_rule_before_it(name, day):
    days = np.array([day], "datetime64[D]")
    caught = [each for each, rule in RULES.items() if rule.holds(days, USUAL).all()]
    assert caught[0] == name
    (why,) = faults([day], USUAL).values()
    assert day in why and " / " in why
    assert faults([day], WIDE) == {}, "wider bounds of the layer file let it in"


@pytest.mark.parametrize("day", ["1950-01-01", "1970-01-02", "2026-11-30", "2027-12-01", "NaT"])
def test_days_within_the_bounds_are_taken(day):
    assert faults([day], USUAL) == {}


def test_the_day_of_a_program_is_meant_where_the_layer_file_reaches_back_to_it():
    assert set(faults(["1900-01-01", "1889-12-31", "1970-01-01"], OLD)) == {1}


@pytest.mark.parametrize("bounds", [USUAL, OLD, WIDE])
def test_instants_are_judged_as_their_days_are(bounds):
    days = np.arange("1898-01-01", "1972-01-01", dtype="datetime64[D]")
    days = np.concatenate([days[::9], days[-800:], np.array(["2027-12-01", "2027-12-02"], "M8[D]")])
    expected = implausible_days(days, bounds)
    instants = [datetime.combine(day, datetime.min.time(), HERE) for day in days.tolist()]
    assert implausible_instants(instants, bounds) == expected
    for row, instant in enumerate(instants[-900:], len(instants) - 900):  # alone: the quick way
        assert bool(implausible_instants([instant], bounds)) == (row in expected)


# A value as it stands in a file, how its column is written, and what says that it is no day.
TYPED = [
    ("0205-09-05", None), ("05/09/0205", "%d/%m/%Y"), ("05/09/0205", "day-first"),
    ("2568-09-05", None), ("05/09/2568", "%d/%m/%Y"), ("05/09/2205", "day-first"),
    ("0", "excel"), ("1", "excel"), ("0", "epoch-s"), ("0", "epoch-ms"), ("-1", "epoch-s"),
    ("1900-01-00", None), ("0000-00-00", None), ("0001-01-01", None), ("1601-01-01", None),
    ("1753-01-01", None), ("9999-12-31", None), ("2099-12-31", None), ("1900-01-01", None),
    ("1970-01-01T00:00:00Z", None), ("1970-01-01 00:00", None), ("25/12/68", "%d/%m/%y"),
    ("31/12/1899", "%d/%m/%Y"), ("2958465", "excel"), ("4102444800", "epoch-s"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "format"), TYPED)
def test_slips_of_typing_and_blanks_of_programs_are_no_days(value, format):
    read = parse_dates([value], format, asks=False)
    assert read.faults or implausible_instants(read.instants, USUAL)


COLUMNS = [
    (["2568-09-05"] * 4, None, "--date-format buddhist"),
    (["2568-09-05", "2567-01-02", "2566-03-04", "2025-01-02"], None, "--date-format buddhist"),
    (["05/09/2568", "06/10/2568", "25/10/2568", "25/10/2025"], "%d/%m/%Y", "buddhist"),
    (["1900-01-01"] * 3 + ["2025-01-02"], None, "--date-format iso"),
    (["1757030400000", "1757116800000", "1757203200000"], "epoch-s", "--date-format epoch-ms"),
    (["45901", "45902", "45903"], "epoch-s", "--date-format excel"),
    (["2099-01-01"] * 9, None, "`ahead_days`"),
    (["13/09/2099"] * 9, "%d.%m.%Y", "--date-format '%d.%m.%Y'"),
]


@pytest.mark.parametrize(("values", "format", "advice"), COLUMNS)
def test_a_column_of_which_most_days_are_none_is_one_question_with_answers(values, format, advice):
    read = parse_dates(values, format, asks=False)
    wrong = {row for row, why in read.faults.items() if isinstance(why, ImplausibleYear)}
    wrong |= set(implausible_instants(read.instants, USUAL))
    wrong = wrong or set(range(len(values)))  # of a form that reads none
    with pytest.raises(AmbiguousInput) as question:
        ask_about_days("ngày", values, wrong, USUAL, format)
    assert advice in str(question.value)
    assert f"{len(wrong)}/{len(values)}" in str(question.value)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        (["1900-01-01", "1900-01-01"], {0, 1}),  # few: each says it by itself
        (["1900-01-01"] * 3 + ["2025-01-01"] * 3, {0, 1, 2}),  # half
        (["1900-01-01"] * 3 + [""] * 9 + ["2025-01-01"] * 4, {0, 1, 2}),
    ],
)
def test_less_than_most_of_a_column_is_no_question(values, wrong):
    ask_about_days("ngày", values, wrong, USUAL, None)
