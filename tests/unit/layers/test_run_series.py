"""Series by commune on days that a person can count, and how often a quiet year alarms."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from calibration.province import TOWNS, province, quiet
from gis.alerts.policy import Policy, Tier
from layers.definition.catalogue import read_layer
from layers.definition.model import (
    CusumOptions,
    EarsOptions,
    FarringtonOptions,
    RegressionOptions,
)
from layers.detect.commune_series import (
    PROVINCE,
    SeriesResult,
    StreamSeries,
    days_read,
    series_of,
)
from layers.detect.messages import series_headline, series_message
from tests.unit.layers.test_run_words import LAYERS

TODAY = 20_000
EARS = EarsOptions(detector="ears")
REGRESSION = RegressionOptions(detector="regression")


def records(rows: list[tuple[str, int]], **columns: object) -> pd.DataFrame:
    """Records (commune, days before today), all counted."""
    frame = pd.DataFrame(
        {
            "id": np.arange(len(rows)) + 1,
            "stream": "s",
            "commune": [commune for commune, _ in rows],
            "day": [TODAY - ago for _, ago in rows],
            "minute": 0,
            "counted": True,
        }
    )
    return frame.assign(**columns)


def daily(commune: str = "00001", days: int = 60) -> list[tuple[str, int]]:
    return [(commune, ago) for ago in range(1, days)]


def judged(frame: pd.DataFrame, options=EARS, communes: int = 3) -> dict[str, SeriesResult]:
    (look,) = series_of(frame, options, TODAY, communes)
    return {one.commune: one for one in look.judged}


def test_a_commune_and_the_province_are_judged_by_their_own_past():
    frame = records([*daily("00001"), *[("00004", 0)] * 4, (PROVINCE, 0)])
    found = judged(frame)
    assert list(found) == [PROVINCE, "00004"]
    assert (found["00004"].observed, found["00004"].expected) == (4, 0.0)
    assert found["00004"].p == pytest.approx(1 / 29**4)
    assert found["00004"].recurrence_days == pytest.approx(36_525)
    assert found["00004"].records == (60, 61, 62, 63)
    # One a day before, without the place of a commune and with it five today.
    assert (found[PROVINCE].observed, found[PROVINCE].expected) == (5, 1.0)


def test_rarity_is_that_of_all_series_of_the_stream():
    frame = records([*daily(), *[("00004", 0)] * 2])
    few, many = (judged(frame, communes=n)["00004"].recurrence_days for n in (1, 99))
    assert few == pytest.approx(29**2 / 2)
    assert many == pytest.approx(29**2 / 100)


def test_the_province_is_judged_without_the_commune_that_is_reported_by_itself():
    found = judged(records([*daily("00001"), *[("00004", 0)] * 4, ("00001", 0)]))
    rest = found[PROVINCE].without(found["00004"], 4)
    assert (rest.observed, rest.apart, rest.elsewhere) == (5, "00004", 4)
    assert series_message(rest, 4, {"00004": "Xã Bãi Cát"}) == (
        "5 báo cáo trong 1 ngày, bình thường 1,0; toàn tỉnh. Cảnh báo từ 4. Trong đó 4 báo cáo là "
        "phần tăng ở Xã Bãi Cát, được báo riêng; ở đây chỉ xét 1 báo cáo còn lại. Mức này là bình "
        "thường.",
        "5 reports in 1 day, normally 1.0; the whole province. Alert from 4. Of these, 4 are the "
        "rise in Xã Bãi Cát, which is told of by itself; what is judged here is the other 1. That "
        "is usual.",
    )
    assert rest.recurrence_days < 1 < found[PROVINCE].recurrence_days


def test_repeats_are_evidence_without_being_counted_and_later_days_are_not_known():
    frame = records([*daily(), *[("00004", 0)] * 3, ("00004", -1)])
    frame.loc[61, "counted"] = False
    found = judged(frame)["00004"]
    assert (found.observed, found.records) == (2, (60, 61, 62))


def test_nothing_is_judged_before_there_are_days_enough():
    assert judged(records([*daily(days=30), *[("00001", 0)] * 9])) == {}
    assert list(judged(records([*daily(days=31), *[("00001", 0)] * 9]))) == [PROVINCE, "00001"]
    assert list(series_of(records([]), EARS, TODAY, 3)) == []


@pytest.mark.parametrize(
    ("options", "days"),
    [
        (REGRESSION, 1),
        (CusumOptions(detector="nb_cusum"), 1),
        (FarringtonOptions(detector="farrington", years=2), 7),
        (FarringtonOptions(detector="farrington", years=2, flexible=False), 7),
        (EarsOptions(detector="ears", variant="C3"), 3),
    ],
)
def test_every_detector_sees_a_rise(options, days):
    frame = records([*daily(days=days_read(options)), *[("00001", 0)] * 20])
    found = judged(frame, options)["00001"]
    assert (found.days, found.observed) == (days, 19 + days)
    assert found.p < 1e-4


def test_a_series_is_described_with_its_numbers_its_bound_and_how_rare_it_is():
    layer, names = read_layer(LAYERS / "citizen_reports.yaml"), {"00004": "Xã Bãi Cát"}
    found = judged(records([*daily(), *[("00004", 0)] * 2], stream="traffic"), communes=1)
    one = found["00004"]
    assert series_headline(layer, one, names) == (
        "Giao thông, Xã Bãi Cát: 2 báo cáo trong 1 ngày, bình thường 0",
        "Traffic, Xã Bãi Cát: 2 reports in 1 day, normally 0",
    )
    assert series_message(one, 3, names) == (
        "2 báo cáo trong 1 ngày, bình thường 0; Xã Bãi Cát. Cảnh báo từ 3. Nếu chỉ là ngẫu "
        "nhiên, ở một nơi bất kỳ của tỉnh gặp mức như vậy khoảng một lần trong 421 ngày.",
        "2 reports in 1 day, normally 0; Xã Bãi Cát. Alert from 3. By chance alone, the like is "
        "met anywhere in the province about once in 421 days.",
    )
    vi, en = series_headline(layer, found[PROVINCE], names)
    assert (vi.split(":")[0], en.split(":")[0]) == (
        "Giao thông, toàn tỉnh",
        "Traffic, the whole province",
    )


def test_a_quiet_year_raises_no_more_than_the_budget():
    """A stream of one year with weekdays and seasons: 100 series, and a budget of 4 a year."""
    where, policy = province(rings=20), Policy(streams=1, false_alerts_a_year=4)
    events = quiet(where, 20.0, 365 + 90, np.random.default_rng(1)).counted()
    commune = [f"{town:05}" for town in where.town[events.place]]
    frame = records(list(zip(commune, (-events.day).tolist(), strict=True)))
    raised = 0
    for last in range(TODAY + 90, TODAY + 90 + 365, 3):
        known = frame[(frame["day"] > last - 90) & (frame["day"] <= last)]
        (look,) = series_of(known, EARS, last, TOWNS)
        tiers = [policy.tier(one.recurrence_days, one.observed) for one in look.judged]
        raised += any(tier in (Tier.ALERT, Tier.URGENT) for tier in tiers)
    assert raised <= 2  # of 4 a year, looked at on every third day: 1.3


def at_hours(hours: list[int], days: int = 60, commune: str = "00001") -> list[dict[str, object]]:
    """A record at each of these hours of so many days before today."""
    return [
        {"commune": commune, "day": TODAY - ago, "minute": 60 * hour}
        for ago in range(1, days)
        for hour in hours
    ]


def timed(rows: list[dict[str, object]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    return frame.assign(id=np.arange(len(rows)) + 1, stream="s", counted=True)


def at(frame: pd.DataFrame, hour: int, options=REGRESSION) -> StreamSeries:
    (evaluated,) = series_of(frame, options, TODAY, 3, minute=60 * hour)
    return evaluated


def test_a_day_under_way_is_compared_with_the_same_hours_of_other_days():
    """Four reports a day, of which one before six; today three by five o'clock."""
    frame = timed(
        [*at_hours([3, 9, 14, 20])]
        + [{"commune": "00001", "day": TODAY, "minute": 60 * hour} for hour in (2, 3, 4)]
    )
    early, late = at(frame, 5), at(frame, 20)
    for evaluated, expected, hour in ((early, 1, 6), (late, 4, 24)):
        province = evaluated.judged[0]
        assert province.expected == pytest.approx(expected, rel=0.05)
        assert (province.observed, province.until_hour) == (3, hour)
    assert early.judged[0].p < 0.1 < late.judged[0].p
    vi, en = series_message(early.judged[0], 9, {})
    assert "Tính đến 6 giờ, so với cùng giờ những ngày khác." in vi
    assert "Up to 6:00, compared with the same hours of other days." in en
    assert "same hours" not in series_message(late.judged[0], 9, {})[1]


def test_the_evaluations_of_a_day_share_what_chance_is_allowed():
    """Of four looks, each as rare as asked, one a day is false no oftener than asked."""
    frame = timed([*at_hours([3]), {"commune": "00001", "day": TODAY, "minute": 0}])
    looks = [at(frame, hour).looks for hour in (0, 6, 12, 18)]
    assert sum(1 / one for one in looks) == pytest.approx(1)
    evaluated = at(frame, 0)
    one = evaluated.judged[0]
    assert one.recurrence_days == pytest.approx(1 / (one.p * 4 * evaluated.looks))


def test_later_minutes_of_days_before_are_not_among_the_evidence_of_today():
    frame = timed([*at_hours([3, 20]), {"commune": "00001", "day": TODAY, "minute": 60}])
    assert at(frame, 2).judged[0].records == (len(frame),)


def test_more_is_read_on_and_around_a_public_holiday():
    assert days_read(REGRESSION, TODAY) < 210
    tet = date(2026, 2, 17).toordinal() - date(1970, 1, 1).toordinal()
    assert days_read(REGRESSION, tet) == days_read(REGRESSION) > 2 * 365


def test_days_that_a_layer_file_names_are_days_of_their_own():
    """A market each 28 days has four times the reports; so has today."""
    begin = date.fromordinal(TODAY + date(1970, 1, 1).toordinal())
    market = [begin - timedelta(days=28 * n) for n in range(8)]
    options = RegressionOptions(
        detector="regression", local_days={"market": tuple(map(str, market))}
    )
    rows = [(("00001"), ago) for ago in range(1, 200) for _ in range(16 if ago % 28 == 0 else 4)]
    frame = records([*rows, *[("00001", 0)] * 16])
    (named,), (unnamed,) = (series_of(frame, some, TODAY, 3) for some in (options, REGRESSION))
    assert named.judged[0].expected == pytest.approx(16, rel=0.1)
    assert named.judged[0].p > 0.3
    assert unnamed.judged[0].p < 0.001


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ("2026-02-30", "is no day: write 2026-03-08"),
        ("8/3/2026", "is no day"),
        ("2026-03-08/2026-03-01", "must begin before it ends"),
        ("2020-01-01/2026-03-01", "within 366 days"),
    ],
)
def test_local_days_that_are_none_are_refused(days, words):
    with pytest.raises(ValidationError, match=words):
        RegressionOptions(detector="regression", local_days={"market": (days,)})


def test_of_the_evaluations_of_quiet_days_no_more_are_false_than_one_a_day_would_be():
    """Forty reports a day, by hours of day and night; 120 days, and four looks on each."""
    random = np.random.default_rng(3)
    hours = np.array(
        [1, 1, 1, 1, 2, 4, 8, 14, 16, 14, 12, 10, 8, 10, 12, 12, 12, 12, 10, 8, 6, 4, 2, 1]
    )
    counts = random.poisson(40 * hours / hours.sum(), (330, 24))
    frame = pd.DataFrame(
        [
            {"day": TODAY - 329 + day, "minute": 60 * hour, "commune": PROVINCE}
            for day, hour in np.argwhere(counts)
            for _ in range(counts[day, hour])
        ]
    ).assign(stream="s", counted=True)
    frame["id"] = np.arange(len(frame))
    alarms = 0
    for last in range(TODAY - 119, TODAY + 1):
        known = frame[(frame["day"] <= last) & (frame["day"] > last - 205)]
        rarest = 1.0
        for hour in (6, 12, 18, 24):
            so_far = known[(known["day"] < last) | (known["minute"] < 60 * hour)]
            (evaluated,) = series_of(so_far, REGRESSION, last, 0, minute=60 * hour - 1)
            rarest = min([rarest, *(one.p * evaluated.looks for one in evaluated.judged)])
        alarms += rarest <= 0.05
    assert 1 <= alarms <= 11  # of 6 expected at most; over 11 once in fifty
