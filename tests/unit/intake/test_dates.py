"""Dates by declared or proven format; what could be two days is asked, not guessed."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import AmbiguousInput, BadInput
from gis.intake.dates import (
    ISO_8601,
    DateWord,
    parse_dates,
    parse_instants,
    parse_zone,
    utc_array,
)

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


def test_an_unknown_zone_is_reported() -> None:
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


def question(values: list[str], format: str | None = None) -> str:
    with pytest.raises(AmbiguousInput) as caught:
        parse_dates(values, format, column="ngày")
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "clock"),
    [
        ("10h30 ngày 01/09/2025", (10, 30)),
        ("9 giờ 15 phút, 13/09/2025", (9, 15)),
        ("lúc 9 giờ 5 phút ngày 13/09/2025", (9, 5)),
        ("01/09/2025 lúc 10 giờ 30", (10, 30)),
        ("Thứ Hai, 01/09/2025", ()),
        ("thứ 2 ngày 01/09/2025 7h", (7,)),
        ("CN 31/08/2025 10:30", (10, 30)),
        ("10g30p 01-09-2025", (10, 30)),
    ],
)
def test_times_and_weekdays_in_words_are_read(value: str, clock: tuple[int, ...]) -> None:
    read = parse_dates([value], "day-first").instants[0]
    assert read is not None and (read.hour, read.minute) == (*clock, 0, 0)[:2]
    assert read.year == 2025


def test_a_word_answers_what_no_single_format_can() -> None:
    values = ["01/09/2025 10:00", "10h30 ngày 01/09/2025", "2/9/25", "ngày 3 tháng 9 năm 2025"]
    assert "--date-format day-first" in question(values[:2])
    assert parse_dates(values, "day-first").instants == [
        at(2025, 9, 1, 10), at(2025, 9, 1, 10, 30), at(2025, 9, 2), at(2025, 9, 3),
    ]  # fmt: skip
    assert parse_dates(values[:1], "month-first").instants == [at(2025, 1, 9, 10)]


@pytest.mark.parametrize(
    "value", ["01/09/2205", "2205-09-01", "0025-09-01", "13/09/0025", "9999-12-31", "1/9/1725"]
)
def test_a_year_that_cannot_be_meant_is_a_fault_of_its_row(value: str) -> None:
    column = parse_dates(["13/09/2025", value])
    assert column.instants == [at(2025, 9, 13), None]
    assert "1800–2100" in column.faults[1]
    for form in ("%d/%m/%Y", "day-first"):
        assert set(parse_dates(["13/09/2025", value], form).faults) == {1}


def test_years_of_the_buddhist_era_are_asked_and_answered() -> None:
    values = ["01/09/2568", "13/09/2568"]
    assert "--date-format buddhist" in question(values)
    assert "Buddhist era? 2025" in parse_dates(["13/09/2025", *values]).faults[1]
    assert parse_dates(values, "buddhist").instants == [at(2025, 9, 1), at(2025, 9, 13)]


def test_bare_numbers_are_asked_with_the_word_that_reads_them() -> None:
    ms, seconds, days = ["1756684800000", "1756771200000"], ["1756684800", "1756771200"], ["45901"]
    assert "--date-format epoch-ms" in question(ms)
    assert "--date-format epoch-s" in question(seconds)
    assert "--date-format excel" in question([*days, "45902.4375"])
    first = datetime(2025, 9, 1, tzinfo=UTC)
    assert parse_dates(ms, "epoch-ms").instants[0] == first
    assert parse_dates(seconds, "epoch-s").instants[0] == first
    read = parse_dates([*days, "45902.4375", "2025-09-03"], "excel")
    assert read.instants == [at(2025, 9, 1), at(2025, 9, 2, 10, 30), at(2025, 9, 3)]
    assert read.day_precision.tolist() == [True, False, True]


def test_a_column_without_any_date_is_one_question() -> None:
    told = question(["hôm qua", "quý 3", ""])
    assert "“hôm qua”" in told and "--date-format iso" in told
    assert set(parse_dates(["hôm qua", "quý 3", ""], "iso").faults) == {0, 1}
    assert set(parse_dates(["hôm qua", "quý 3", ""], asks=False).faults) == {0, 1}


def test_a_single_value_that_is_no_date_is_a_fault_of_its_row() -> None:
    assert set(parse_dates(["hôm qua", ""]).faults) == {0}


@given(
    st.lists(
        st.one_of(st.text("0123456789/-.:hgT Zngày+", max_size=24), st.text(max_size=12)),
        max_size=4,
    ),
    st.sampled_from([None, *DateWord, "%d/%m/%Y", "%", "%Q", "%H:%M %d.%m.%y", "%Z", "("]),
)
def test_no_text_and_no_format_stops_the_reader(values: list[str], format: str | None) -> None:
    try:
        column = parse_dates(values, format)
    except AmbiguousInput:
        return
    for row, (value, instant) in enumerate(zip(values, column.instants, strict=True)):
        assert (instant is None) == (row in column.faults or not value.strip())
        assert instant is None or 1800 <= instant.year <= 2100


USUAL = st.one_of(
    st.from_regex(
        r"20[0-3][0-9]-[01][0-9]-[0-3][0-9]"
        r"([T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-][01][0-9]:[0-5][0-9])?)?",
        fullmatch=True,
    ),
    st.just(""),
)


@given(
    st.one_of(
        st.lists(USUAL, max_size=8),
        st.lists(st.one_of(USUAL, st.sampled_from(["13/9/2024", "5 tháng 3 năm 2026", "x"]))),
    ),
    st.sampled_from([None, "day-first", "%Y-%m-%d"]),
    st.sampled_from(["+07:00", "Z", "-03:30"]),
)
def test_instants_as_an_array_are_those_of_the_dates(values, format, zone):
    dates = parse_dates(values, format, zone, asks=False)
    instants = parse_instants(values, format, zone, asks=False)
    assert np.array_equal(instants.utc, utc_array(dates.instants), equal_nan=True)
    assert instants.faults == dates.faults
