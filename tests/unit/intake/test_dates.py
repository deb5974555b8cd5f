"""Dates by declared or proven format; what could be two days is asked, not guessed."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import AmbiguousInput, BadInput
from gis.intake.dates import ISO_8601, parse_dates, parse_zone

VIETNAM = timezone(timedelta(hours=7))


def at(year: int, month: int, day: int, *clock: int) -> datetime:
    return datetime(year, month, day, *clock, tzinfo=VIETNAM)


def test_iso_dates_need_no_declaration() -> None:
    column = parse_dates(["2024-09-05", "20240906", "2024/09/07", "", None])
    assert column.instants == [at(2024, 9, 5), at(2024, 9, 6), at(2024, 9, 7), None, None]
    assert column.day_precision.tolist() == [True, True, True, False, False]
    assert (column.format, column.faults) == (ISO_8601, {})


def test_a_written_zone_wins_over_that_of_the_source() -> None:
    column = parse_dates(["2024-09-05T14:30", "2024-09-05T07:30:00Z", "2024-09-05 14:30:00+0700"])
    assert set(column.instants) == {at(2024, 9, 5, 14, 30)}
    assert not column.day_precision.any()


def test_the_zone_of_the_source_holds_for_the_rest() -> None:
    column = parse_dates(["2024-09-05T14:30"], zone="Z")
    assert column.instants == [datetime(2024, 9, 5, 14, 30, tzinfo=UTC)]


def test_a_day_beyond_twelve_proves_the_order_for_all() -> None:
    column = parse_dates(["05/09/2024", "13/09/2024"])
    assert column.instants == [at(2024, 9, 5), at(2024, 9, 13)]
    assert (column.format, column.proof) == ("%d/%m/%Y", "13/09/2024")
    column = parse_dates(["5/9/2024", "5/13/2024"])
    assert column.instants == [at(2024, 5, 9), at(2024, 5, 13)]
    assert (column.format, column.proof) == ("%m/%d/%Y", "5/13/2024")


def test_what_fits_both_orders_is_asked() -> None:
    with pytest.raises(AmbiguousInput) as caught:
        parse_dates(["05/09/2024", "06/10/2024"], column="ngày")
    message = str(caught.value)
    assert "cột “ngày”" in message and "column “ngày”" in message
    assert "--date-format '%d/%m/%Y'" in message and "“05/09/2024”" in message


def test_a_declared_format_answers_the_question() -> None:
    column = parse_dates(["05/09/2024", "06/10/2024"], "%d/%m/%Y")
    assert column.instants == [at(2024, 9, 5), at(2024, 10, 6)]
    assert column.day_precision.all()


def test_a_day_that_is_its_month_is_the_same_in_both_orders() -> None:
    assert parse_dates(["05/05/2024"]).instants == [at(2024, 5, 5)]


def test_values_that_prove_both_orders_are_asked() -> None:
    with pytest.raises(AmbiguousInput, match="prove opposite orders"):
        parse_dates(["13/09/2024", "9/14/2024"])


def test_years_of_two_digits_are_asked() -> None:
    with pytest.raises(AmbiguousInput, match="two digits"):
        parse_dates(["13/09/24"])


def test_a_declared_format_that_nothing_fits_is_asked() -> None:
    with pytest.raises(AmbiguousInput, match=r"none of its values has the form %d\.%m\.%Y"):
        parse_dates(["13/09/2024"], "%d.%m.%Y")


def test_a_value_that_the_declared_format_does_not_fit_is_a_fault_of_its_row() -> None:
    column = parse_dates(["13/09/2024", "9/14/2024"], "%d/%m/%Y")
    assert column.instants == [at(2024, 9, 13), None]
    assert "%d/%m/%Y" in column.faults[1]


def test_dates_that_a_spreadsheet_typed_are_read_under_any_format() -> None:
    column = parse_dates(["05/09/2024", "2024-09-06"], "%d/%m/%Y")
    assert column.instants == [at(2024, 9, 5), at(2024, 9, 6)]


@pytest.mark.parametrize(
    "value", ["31/02/2024", "45000", "hôm qua", "2024-13-05", "2024-09-05T25:00"]
)
def test_what_is_no_date_is_a_fault_and_not_a_guess(value: str) -> None:
    column = parse_dates(["15/02/2024", value])
    assert column.instants[1] is None and value in column.faults[1]


@pytest.mark.parametrize(
    ("value", "clock"),
    [
        ("ngày 5 tháng 9 năm 2024", ()),
        ("05 tháng 9, 2024", ()),
        ("14 giờ 30 ngày 5 tháng 9 năm 2024", (14, 30)),
        ("14h30 ngày 05/09/2024", (14, 30)),
        ("05/09/2024 14:30:05", (14, 30, 5)),
        ("05-09-2024 2:30 CH", (14, 30)),
        ("5.9.2024 12:05 SA", (0, 5)),
    ],
)
def test_vietnamese_ways_of_writing_are_read(value: str, clock: tuple[int, ...]) -> None:
    instants = parse_dates([value, "13/09/2024"]).instants
    assert instants[0] == at(2024, 9, 5, *clock)


def test_a_month_in_words_proves_nothing_about_the_others() -> None:
    with pytest.raises(AmbiguousInput):
        parse_dates(["ngày 5 tháng 9 năm 2024", "05/09/2024"])


def test_an_unknown_zone_is_told() -> None:
    with pytest.raises(BadInput, match=r"\+07:00"):
        parse_zone("ICT")


@settings(deadline=None, max_examples=100)
@given(st.lists(st.dates(date(1950, 1, 1), date(2100, 1, 1)), min_size=1))
def test_no_column_is_ever_read_as_other_days(days: list[date]) -> None:
    """Written day first, a column gives its own days or a question, never others."""
    written = [day.strftime("%d/%m/%Y") for day in days]
    try:
        column = parse_dates(written)
    except AmbiguousInput:
        assert all(day.day <= 12 for day in days)
        return
    assert [instant and instant.date() for instant in column.instants] == days
