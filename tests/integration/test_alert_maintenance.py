"""Maintenance of alerts each second, beside the detectors, and of the budget of alarms."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from gis.alerts.actions import list_alerts, resolve
from gis.alerts.calibration import RULE, Budget, last_year, monthly, tally
from gis.alerts.policy import Tier
from gis.alerts.precision import Outcomes
from gis.alerts.states import Outcome
from gis.alerts.updates import apply_findings
from layers.definition.catalogue import Catalogue
from layers.jobs.alert_maintenance import advance_all, judge_calibration
from tests.unit.alerts.made import day, found, signal

LAYER = "citizen_reports"
BUDGET = Budget(LAYER, ("scan",), 4)  # as in the layer's file


def looks(connection, days: int, *, p: float = 0.5, **of) -> None:
    """One look a day, without a signal."""
    for n in range(days):
        apply_findings(connection, found(n, p=p, **of), day(n))


def alarms(connection, n: int, **of) -> list[int]:
    """So many alerts, each at a place of its own, on one day."""
    far = [signal(40, lon=104.0 + 0.02 * i, radius_m=100, key=str(i)) for i in range(n)]
    return list(apply_findings(connection, found(40, *far, p=0.5, **of), day(40)).opened)


def told(connection, now: datetime):
    return tally(connection, BUDGET, *last_year(now))


@pytest.fixture
def connection(toy_province):
    with toy_province.engine.connect() as opened:
        yield opened


def test_alarms_that_nobody_found_true_are_held_against_the_budget(connection):
    looks(connection, 40)
    first, second, *_ = alarms(connection, 6)
    resolve(connection, first, "officer", Outcome.TRUE, "seen")
    resolve(connection, second, "officer", Outcome.FALSE, "an exercise")
    kept = told(connection, day(40))
    assert (kept.days, kept.alarms, kept.answers) == (41, 5, Outcomes(true=1, false=1))
    assert kept.allowed == pytest.approx(4 * 41 / 365)
    assert [english for _, english in kept.faults()] == [
        "5 alerts not found true in 41 days, budget 0.4"
    ]


def test_simulated_alarms_and_those_to_be_watched_are_none(connection):
    looks(connection, 40)
    alarms(connection, 3, simulated=True)
    watched = signal(40, lon=104.25, tier=Tier.WATCH)
    apply_findings(connection, found(40, watched, stream="other"), day(40))
    assert told(connection, day(40)).alarms == 0


def test_neither_evaluations_nor_alarms_of_simulated_records_are_judged(connection):
    """A simulation without an alarm says nothing of a deaf detector, nor its p-values of skew."""
    looks(connection, 40, p=0.01, simulated=True)
    alarms(connection, 3, simulated=True)
    kept = told(connection, day(41))
    assert (kept.days, kept.alarms, kept.allowed, kept.p_values) == (0, 0, 0.0, ())
    assert kept.simulated_days == 41
    looks(connection, 30, stream="real")
    assert told(connection, day(41)).days == 30


def test_one_p_a_stream_and_day_is_stored_and_one_a_fortnight_counted(connection):
    looks(connection, 29)
    looks(connection, 29, p=0.01, stream="other")
    apply_findings(connection, found(28.1, p=0.2), day(28.1))
    kept = told(connection, day(28.2))
    assert len(kept.p_values) == 58
    assert sorted(kept.spaced) == [0.01, 0.01, 0.01, 0.2, 0.5, 0.5]
    assert kept.small == 3


def test_the_least_p_of_a_days_evaluations_is_stored_beside_the_last(connection):
    looks(connection, 29)
    for at, p in ((28.05, 0.01), (28.1, None), (28.15, 0.4)):
        apply_findings(connection, found(at, p=p), day(at))
    kept = told(connection, day(28.2))
    assert sorted(kept.spaced) == [0.4, 0.5, 0.5]
    assert sorted(kept.spaced_least) == [0.01, 0.5, 0.5]
    assert (kept.small, kept.small_at_any_look) == (0, 1)


def at(connection, when: datetime, *signals, **of) -> None:
    """A look at that moment."""
    n = (when - day(0)) / timedelta(days=1)
    apply_findings(connection, found(n, *signals, **of), when)


def test_months_begin_and_end_at_midnight_of_here(connection):
    last, first = (
        datetime(2026, 10, 31, 16, 30, tzinfo=UTC),
        datetime(2026, 10, 31, 17, 30, tzinfo=UTC),
    )
    at(connection, last, signal(key="a"), p=0.1)
    at(connection, first, signal(lon=104.25, key="b"), signal(lon=104.35, key="c"), p=0.2)
    months = monthly(connection, BUDGET, date(2026, 11, 30))
    assert list(months) == [date(2026, 11, 1), date(2026, 10, 1)]
    assert [(told.days, told.alarms, told.p_values) for told in months.values()] == [
        (1, 2, (0.2,)),
        (1, 1, (0.1,)),
    ]


def test_each_month_has_what_came_in_it_and_is_the_sum_of_its_days(connection):
    """31 days of March and 9 of April; the alarms are of 10 April, whose looks are real."""
    looks(connection, 40)
    first, second, *_ = alarms(connection, 6)
    resolve(connection, first, "officer", Outcome.TRUE, "seen")
    resolve(connection, second, "officer", Outcome.FALSE, "an exercise")
    looks(connection, 31, stream="simulated", simulated=True)
    april, march = monthly(connection, BUDGET, date(2026, 4, 30)).items()
    assert (march[0], april[0]) == (date(2026, 3, 1), date(2026, 4, 1))
    assert (march[1].days, march[1].alarms, len(march[1].p_values)) == (31, 0, 31)
    assert (april[1].days, april[1].alarms, april[1].answers) == (10, 5, Outcomes(1, 1))
    assert april[1].allowed == pytest.approx(4 * 10 / 365)
    assert april[1] == tally(connection, BUDGET, date(2026, 4, 1), date(2026, 4, 30))
    assert [told.simulated_days for told in (march[1], april[1])] == [0, 0]


def test_a_month_of_simulated_records_says_so(connection):
    looks(connection, 31, p=0.01, simulated=True)
    at(connection, day(31), signal(31), p=0.5)
    april, march = monthly(connection, BUDGET, date(2026, 4, 30)).values()
    assert (march.days, march.simulated_days, march.p_values) == (0, 31, ())
    assert (april.days, april.simulated_days, april.alarms) == (1, 0, 1)


def test_alarms_out_of_band_raise_an_alert_once_a_day(toy_province, catalogue):
    layer = catalogue.get(LAYER)
    with toy_province.writing() as connection:
        looks(connection, 40)
        alarms(connection, 5)
    assert judge_calibration(toy_province, layer, day(40.1))
    assert not judge_calibration(toy_province, layer, day(40.2))
    with toy_province.reading() as connection:
        degraded = [one for one in list_alerts(connection, layers=[LAYER]) if one.rule == RULE]
    (alert,) = degraded
    assert "5 cảnh báo chưa xác nhận đúng trong 41 ngày" in alert.headline_vi
    assert alert.communes == ()


def test_each_second_rules_calibration_and_escalation_are_seen_to(toy_province, catalogue):
    now = datetime.now(UTC)
    urgent = found((now - day(0)) / timedelta(days=1), signal(tier=Tier.URGENT))
    with toy_province.writing() as connection:
        apply_findings(connection, urgent, now - timedelta(minutes=16))
    advance_all(toy_province, Catalogue(catalogue.layers), now)
    with toy_province.reading() as connection:
        acts = connection.execute(text("SELECT act FROM gis.alert_event ORDER BY id")).scalars()
        assert list(acts) == ["open", "escalate"]
        judged = connection.scalar(
            text("SELECT rule FROM gis.alert_evaluation WHERE rule <> 'scan'")
        )
    assert judged == RULE
