"""Vietnam's lunar calendar: the day on which a lunar month begins, by new moons and solar terms.

A month begins on the day, at UTC+07:00, of a new moon. The eleventh holds the winter solstice; of
thirteen months from one eleventh to the next, the first without a major term (a longitude of the
sun that is a multiple of 30°) is a leap month. Sources: Meeus, Astronomical Algorithms, 2nd edition
1998, chapters 25 and 49, whose moments are good to a minute or better; the rules as in Hồ Ngọc Đức,
Thuật toán tính âm lịch. Good for 1976 to 2100: before, the country had another time zone.
"""

from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from math import floor, radians, sin

_LUNATION = 29.530588861  # mean days from one new moon to the next
_FIRST_NEW_MOON = 2451550.09766  # of 2000-01-06, Julian day in terrestrial time
_YEAR_2000 = 2451545.0
_CENTURY = 36525.0
_TERRESTRIAL_AHEAD = (
    70 / 86_400
)  # days, of terrestrial over universal time: 64 s in 2000, 93 in 2050
_HERE = 7 / 24  # days, UTC+07:00
_ORDINAL_ZERO = 1_721_424.5  # Julian day of the midnight before 0001-01-01, whose ordinal is 1
# Terms of chapter 49: days, power of E, and multiples of M, M′ and F.
_TERMS = (
    (-0.40720, 0, 0, 1, 0), (0.17241, 1, 1, 0, 0), (0.01608, 0, 0, 2, 0), (0.01039, 0, 0, 0, 2),
    (0.00739, 1, -1, 1, 0), (-0.00514, 1, 1, 1, 0), (0.00208, 2, 2, 0, 0), (-0.00111, 0, 0, 1, -2),
    (-0.00057, 0, 0, 1, 2), (0.00056, 1, 1, 2, 0), (-0.00042, 0, 0, 3, 0), (0.00042, 1, 1, 0, 2),
    (0.00038, 1, 1, 0, -2), (-0.00024, 1, -1, 2, 0),
)  # fmt: skip


def lunar_date(year: int, month: int, day: int = 1) -> date:
    """The date of a day of a month, 1 to 12 and no leap month, of the lunar year named `year`."""
    months = [start for start, leap in _months(year if month < 11 else year + 1) if not leap]
    return months[(month + 1) % 12] + timedelta(days=day - 1)


@cache
def _months(year: int) -> tuple[tuple[date, bool], ...]:
    """From the eleventh month of the year before to the tenth: first days, and which is leap."""
    first, last = _eleventh_month(year - 1), _eleventh_month(year)
    starts = [_day_of(_new_moon(k)) for k in range(first, last + 1)]
    bare = [_major_term(start) == _major_term(after) for start, after in pairwise(starts)]
    leap = bare.index(True) if len(bare) == 13 else None
    return tuple((start, n == leap) for n, start in enumerate(starts[:-1]))


def _eleventh_month(year: int) -> int:
    """The number of the new moon that begins the month with the solstice of December."""
    solstice = next(
        day
        for day in (date(year, 12, 19) + timedelta(days=n) for n in range(5))
        if _major_term(day + timedelta(days=1)) == 9
    )
    k = round((solstice.toordinal() + _ORDINAL_ZERO - _FIRST_NEW_MOON) / _LUNATION) + 1
    while _day_of(_new_moon(k)) > solstice:
        k -= 1
    return k


def _major_term(day: date) -> int:
    """Multiples of 30° that the sun has passed since the equinox of March, as the day begins."""
    return int(_longitude_of_sun(day.toordinal() + _ORDINAL_ZERO - _HERE) // 30)


def _day_of(moment: float) -> date:
    """The day here of a Julian day in universal time."""
    return date.fromordinal(floor(moment + _HERE - _ORDINAL_ZERO))


def _new_moon(k: int) -> float:
    """The moment of the new moon `k` after that of 2000-01-06: Julian day in universal time."""
    t = k * _LUNATION / _CENTURY
    eccentricity = 1 - 0.002516 * t - 0.0000074 * t**2
    sun = 2.5534 + 29.10535670 * k - 0.0000014 * t**2
    moon = 201.5643 + 385.81693528 * k + 0.0107582 * t**2
    latitude = 160.7108 + 390.67050284 * k - 0.0016118 * t**2
    node = 124.7746 - 1.56375588 * k
    mean = _FIRST_NEW_MOON + _LUNATION * k + 0.00015437 * t**2
    correction = sum(
        size
        * eccentricity**power
        * sin(radians(of_sun * sun + of_moon * moon + of_node * latitude))
        for size, power, of_sun, of_moon, of_node in _TERMS
    )
    return mean + correction - 0.00017 * sin(radians(node)) - _TERRESTRIAL_AHEAD


def _longitude_of_sun(moment: float) -> float:
    """Apparent longitude in degrees, 0 to 360, at a Julian day in universal time; to 0.01°."""
    t = (moment + _TERRESTRIAL_AHEAD - _YEAR_2000) / _CENTURY
    anomaly = radians(357.52911 + 35_999.05029 * t)
    centre = (
        (1.914602 - 0.004817 * t) * sin(anomaly)
        + (0.019993 - 0.000101 * t) * sin(2 * anomaly)
        + 0.000289 * sin(3 * anomaly)
    )
    nutation = -0.00569 - 0.00478 * sin(radians(125.04 - 1934.136 * t))
    return (280.46646 + 36_000.76983 * t + centre + nutation) % 360
