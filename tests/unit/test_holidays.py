"""Tết, the public holidays and the days around them, against what was published."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from gis.holidays import DayKind, day_kind, public_holidays
from gis.lunar_calendar import lunar_date

# First days of the lunar years 2000 to 2050, month and day, from almanacs. In 2007 and 2030 Vietnam
# is a day ahead of China.
TET = """
02-05 01-24 02-12 02-01 01-22 02-09 01-29 02-17 02-07 01-26
02-14 02-03 01-23 02-10 01-31 02-19 02-08 01-28 02-16 02-05
01-25 02-12 02-01 01-22 02-10 01-29 02-17 02-06 01-26 02-13
02-02 01-23 02-11 01-31 02-19 02-08 01-28 02-15 02-04 01-24
02-12 02-01 01-22 02-10 01-30 02-17 02-06 01-26 02-14 02-02 01-23
""".split()

# Rests of the civil service as the government decided them: first and last day.
RESTS = {
    2019: "02-02/02-10 04-13/04-15 04-27/05-01 08-31/09-02",
    2020: "01-23/01-29 04-30/05-03",
    2021: "02-10/02-16 04-30/05-03 09-02/09-05",
    2022: "01-29/02-06 04-09/04-11 04-30/05-03 09-01/09-04",
    2023: "04-29/05-03 09-01/09-04",
    2024: "02-08/02-14 04-27/05-01 08-31/09-03",
    2025: "01-25/02-02 04-05/04-07 04-30/05-04 08-30/09-02",
    2026: "02-14/02-22 04-25/04-27 04-30/05-03 08-29/09-02",
}


@pytest.mark.parametrize(("year", "day"), list(zip(range(2000, 2051), TET, strict=True)))
def test_tet_is_the_day_that_almanacs_give(year, day):
    assert lunar_date(year, 1) == date.fromisoformat(f"{year}-{day}")


@pytest.mark.parametrize(
    "day", ["2004-04-28", "2009-04-04", "2012-03-31", "2023-04-29", "2026-04-26", "2037-04-24"]
)
def test_the_hung_kings_day_comes_after_a_leap_month_where_there_is_one(day):
    """In 2004 and 2023 the second month came twice."""
    found = date.fromisoformat(day)
    assert lunar_date(found.year, 3, 10) == found
    assert (found in public_holidays(found.year)) == (found.year >= 2007)


@pytest.mark.parametrize("year", range(1999, 2051))
def test_lunar_months_follow_each_other_and_tet_lies_between_21_january_and_20_february(year):
    starts = [lunar_date(year, month) for month in range(1, 13)] + [lunar_date(year + 1, 1)]
    lengths = {(after - start).days for start, after in pairwise(starts)}
    assert lengths <= {29, 30, 58, 59, 60}  # with a leap month between them
    assert date(year, 1, 21) <= starts[0] <= date(year, 2, 20)


@pytest.mark.parametrize(
    ("year", "rest"), [(year, rest) for year, some in RESTS.items() for rest in some.split()]
)
def test_rests_are_those_that_the_government_decided(year, rest):
    first, last = (date.fromisoformat(f"{year}-{day}") for day in rest.split("/"))
    day = timedelta(days=1)
    tet = first.month < 3
    kinds = [day_kind(first + n * day) for n in range(-1, (last - first).days + 2)]
    inside = DayKind.TET if tet else DayKind.HOLIDAY
    assert set(kinds[1:-1]) == {inside}
    assert kinds[0] == (DayKind.BEFORE_TET if tet else DayKind.BEFORE_HOLIDAY)
    assert kinds[-1] == (DayKind.AFTER_TET if tet else DayKind.AFTER_HOLIDAY)


@pytest.mark.parametrize("year", range(2000, 2051))
def test_a_holiday_on_a_weekend_gives_a_day_off_in_lieu(year):
    holidays = public_holidays(year)
    days = (4 if year < 2013 else 5) + 4 + (year >= 2007) + (year >= 2021) + (year >= 2026)
    days -= lunar_date(year, 3, 10) == date(year, 4, 30)
    assert sum(day.weekday() < 5 for day in holidays) == days


def test_kinds_of_a_year_are_few_and_the_rest_is_ordinary():
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    kinds = [day_kind(day) for day in days]
    assert kinds.count(DayKind.TET) == 9
    assert kinds.count(DayKind.BEFORE_TET) == kinds.count(DayKind.AFTER_TET) == 7
    assert kinds.count(DayKind.ORDINARY) > 300
    assert day_kind(date(2026, 8, 31)) == DayKind.HOLIDAY  # bridges a weekend and a holiday
    assert day_kind(date(2026, 3, 31)) == DayKind.ORDINARY
