"""Vietnam's public holidays, and how each day lies to them.

Days by the Labour Code (2019, article 112; before 2013 Tết had four days, and before 2021 the
National Day one): 1 January, Tết, the Hùng Kings' day (10/3 of the lunar calendar, since 2007),
30 April, 1 May, the National Day with one beside it, and since 2026 the Day of Culture on 24
November (Resolution 80-NQ/TW). Each that falls on a weekend gives a day off in lieu after it
(article 111). The government says each year which days beside Tết and the National Day are off:
here they are the two before Tết and those that make the longest rest, as decided in 2019 to 2026.
"""

from datetime import date, timedelta
from enum import StrEnum
from functools import cache

from gis.lunar_calendar import lunar_date

_DAY = timedelta(days=1)
_SATURDAY = 5
_ONE_AFTER = (0, 3, 6)  # weekdays of 2 September on which the day after it is off too
# Working days around Tết that are unlike others: the markets before it, the slow return after it.
_AROUND_TET = 7


class DayKind(StrEnum):
    """How a day lies to the public holidays."""

    ORDINARY = "ordinary"
    BEFORE_HOLIDAY = "before_holiday"  # the day before a rest with a public holiday in it
    HOLIDAY = "holiday"  # in such a rest, whose weekends and bridge days count with it
    AFTER_HOLIDAY = "after_holiday"
    BEFORE_TET = "before_tet"  # the seven days before
    TET = "tet"
    AFTER_TET = "after_tet"  # the seven days after


def public_holidays(year: int) -> dict[date, bool]:
    """The public holidays of a year in order, those in lieu included; true for those of Tết."""
    tet = _tet(year)
    others = [date(year, 1, 1), date(year, 4, 30), date(year, 5, 1), *_national_day(year)]
    if year >= 2007:
        others.append(lunar_date(year, 3, 10))
    if year >= 2026:
        others.append(date(year, 11, 24))
    holidays = {**dict.fromkeys(others, False), **dict.fromkeys(tet, True)}
    for day in sorted(holidays):
        if _is_weekend(day):
            holidays[_in_lieu(day, holidays)] = holidays[day]
    return dict(sorted(holidays.items()))


def day_kind(day: date) -> DayKind:
    """How a day lies to the public holidays; of two kinds Tết counts, then the holiday itself."""
    return _kinds(day.year).get(day, DayKind.ORDINARY)


def _tet(year: int) -> list[date]:
    first = lunar_date(year, 1)
    before = 2 if year >= 2013 else 1
    return [first + n * _DAY for n in range(-before, 3)]


def _national_day(year: int) -> list[date]:
    """2 September and, since 2021, the day beside it that leaves fewest working days between."""
    day = date(year, 9, 2)
    if year < 2021:
        return [day]
    return [day, day + _DAY] if day.weekday() in _ONE_AFTER else [day - _DAY, day]


def _is_weekend(day: date) -> bool:
    return day.weekday() >= _SATURDAY


def _in_lieu(day: date, holidays: dict[date, bool]) -> date:
    while _is_weekend(day) or day in holidays:
        day += _DAY
    return day


@cache
def _kinds(year: int) -> dict[date, DayKind]:
    """The days of a year that are not ordinary."""
    holidays = {**public_holidays(year - 1), **public_holidays(year), **public_holidays(year + 1)}
    kinds: dict[date, DayKind] = {}
    for first, last in _rests(holidays):
        rest = [first + n * _DAY for n in range((last - first).days + 1)]
        tet = any(holidays.get(day, False) for day in rest)
        around = _AROUND_TET if tet else 1
        for n in range(1, around + 1):
            kinds.setdefault(first - n * _DAY, _BEFORE[tet])
            kinds.setdefault(last + n * _DAY, _AFTER[tet])
        kinds |= dict.fromkeys(rest, DayKind.TET if tet else DayKind.HOLIDAY)
    return {day: kind for day, kind in sorted(kinds.items()) if day.year == year}


_BEFORE = {True: DayKind.BEFORE_TET, False: DayKind.BEFORE_HOLIDAY}
_AFTER = {True: DayKind.AFTER_TET, False: DayKind.AFTER_HOLIDAY}


def _rests(holidays: dict[date, bool]) -> list[tuple[date, date]]:
    """First and last days of the runs of days off that hold a holiday, Tết's first.

    A lone working day between two days off is a bridge: it is off, or as good as.
    """

    def is_off(day: date) -> bool:
        return day in holidays or _is_weekend(day)

    def end(day: date, step: timedelta) -> date:
        while is_off(day + step) or is_off(day + 2 * step):
            day += step
        return day

    runs = {(end(day, -_DAY), end(day, _DAY)): holidays[day] for day in holidays}
    return sorted(runs, key=lambda run: (not runs[run], run))
