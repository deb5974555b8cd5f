"""Calibration of the statistical alarms of a layer: their number against the budget, and their
p-values against uniform ones.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.alerts.engine import local_day
from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import DAYS_A_YEAR, EVALUATIONS_A_DAY, Policy, Tier
from gis.alerts.precision import Outcomes
from gis.text import number_vi

RULE = "calibration_degraded"
WINDOW_DAYS = 365
LEAST_DAYS = 28  # any whole month; fewer say nothing
APART_DAYS = 14  # evaluations so far apart share few records: p-values are all but independent
SMALL_P = 0.05
DISTINCT = 0.5  # of the alarms that the budget allows by chance; see docs/calibration.md
# Judged anew each day, on a year that hardly differs from the one before: of a hundred years
# without fault one has such a day, up to six if scan and series always agreed.
UNLIKELY = 0.001


@dataclass(frozen=True, slots=True)
class Budget:
    """Rules of a layer that share one number of false alerts a year."""

    layer_id: str
    rules: tuple[str, ...]
    false_alerts_a_year: float


@dataclass(frozen=True, slots=True)
class Tally:
    """A layer's alarms over the days on which it was evaluated.

    `p_values` are those of the last evaluation of each day and stream, the oldest first; `spaced`
    are those of them on each 14th day of the calendar. `spaced_least` are the least of all
    evaluations of these days: alarms come from any of them, so these must be as rare as assumed.
    """

    layer_id: str
    days: int
    simulated_days: int  # others, on which there were simulated records alone
    alarms: int  # of tier alert or urgent that nobody found true
    answers: Outcomes  # about all alarms
    allowed: float  # by the budget, in these days
    p_values: tuple[float, ...]
    spaced: tuple[float, ...]
    spaced_least: tuple[float, ...]

    @property
    def worth(self) -> float:
        """The effective number of independent p-values, at least one."""
        return max(1.0, len(self.p_values) / APART_DAYS)

    @property
    def judged(self) -> bool:
        """True if there are days enough to find a fault."""
        return self.days >= LEAST_DAYS

    @property
    def small(self) -> int:
        return sum(p <= SMALL_P for p in self.spaced)

    @property
    def small_at_any_look(self) -> int:
        """Days whose least p, times EVALUATIONS_A_DAY, is at most SMALL_P."""
        return sum(EVALUATIONS_A_DAY * p <= SMALL_P for p in self.spaced_least)

    def faults(self) -> list[tuple[str, str]]:
        """The measures that are out of band, in Vietnamese and English."""
        if not self.judged:
            return []
        from scipy.special import bdtrc, pdtr, pdtrc

        n, small, any_look = self.alarms, self.small, self.small_at_any_look
        faults = []
        if n and pdtrc(n - 1, self.allowed) < UNLIKELY:
            faults.append(_too_many(self))
        if pdtr(n, DISTINCT * self.allowed) < UNLIKELY:
            faults.append(_too_few(self))
        if small and bdtrc(small - 1, len(self.spaced), SMALL_P) < UNLIKELY:
            faults.append(_too_small(small, len(self.spaced)))
        if any_look and bdtrc(any_look - 1, len(self.spaced_least), SMALL_P) < UNLIKELY:
            faults.append(_too_small_at_any_look(any_look, len(self.spaced_least)))
        return faults


def _too_many(tally: Tally) -> tuple[str, str]:
    allowed = f"{tally.allowed:.1f}"
    return (
        f"{tally.alarms} cảnh báo chưa xác nhận đúng trong {tally.days} ngày, "
        f"hạn mức {number_vi(tally.allowed, 1)}",
        f"{tally.alarms} alerts not found true in {tally.days} days, budget {allowed}",
    )


def _too_few(tally: Tally) -> tuple[str, str]:
    allowed = f"{tally.allowed:.1f}"
    return (
        f"chỉ {tally.alarms} cảnh báo trong {tally.days} ngày, "
        f"hạn mức {number_vi(tally.allowed, 1)}: bộ phát hiện có thể đã kém nhạy",
        f"only {tally.alarms} alerts in {tally.days} days, budget {allowed}: "
        "the detector may be deaf",
    )


def _too_small(small: int, of: int) -> tuple[str, str]:
    return (
        f"{small} trong {of} giá trị p không quá 0,05",
        f"{small} of {of} p-values are at most 0.05",
    )


def _too_small_at_any_look(small: int, of: int) -> tuple[str, str]:
    return (
        f"{small} trong {of} giá trị p nhỏ nhất của các lần xét trong ngày, nhân "
        f"{EVALUATIONS_A_DAY:g}, không quá 0,05",
        f"{small} of {of} least p-values of a day's evaluations, times {EVALUATIONS_A_DAY:g}, are "
        "at most 0.05",
    )


_EVALUATIONS = text("""
SELECT day,
  array_agg(coalesce(p, 1) ORDER BY rule, stream) FILTER (WHERE NOT simulated) AS p,
  array_agg(coalesce(least_p, 1) ORDER BY rule, stream) FILTER (WHERE NOT simulated) AS least_p
FROM gis.alert_evaluation
WHERE layer_id = :layer AND rule = ANY(:rules) AND day BETWEEN :first AND :last
GROUP BY day ORDER BY day
""")
_ALARMS = text("""
SELECT opened.day, a.outcome
FROM gis.alert a,
  LATERAL (SELECT (a.opened_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS day) AS opened
WHERE a.layer_id = :layer AND a.rule = ANY(:rules) AND NOT a.simulated
  AND opened.day BETWEEN :first AND :last AND a.last_notification ->> 'tier' IN ('alert', 'urgent')
  AND NOT EXISTS (
    SELECT FROM gis.alert_evaluation l
    WHERE (l.layer_id, l.rule, l.stream, l.day) = (a.layer_id, a.rule, a.stream, opened.day)
      AND l.simulated)
""")


def tally(connection: Connection, budget: Budget, first: date, last: date) -> Tally:
    """The tally of a budget from the first day to the last, both included, in Vietnamese time.

    Alarms, days and p-values of evaluations of simulated records are not counted.
    """
    return _tally(budget, *_stored(connection, budget, first, last))


def last_year(now: datetime) -> tuple[date, date]:
    """The first and the last day of the year that ends today."""
    today = local_day(now)
    return today - timedelta(days=WINDOW_DAYS - 1), today


def monthly(connection: Connection, budget: Budget, until: date) -> dict[date, Tally]:
    """A tally of each calendar month with evaluations, by its first day, the latest first.

    The month of `until` is counted to that day.
    """
    evaluations, alarms = map(_by_month, _stored(connection, budget, date.min, until))
    return {
        month: _tally(budget, evaluations[month], alarms[month])
        for month in sorted(evaluations)[::-1]
    }


def _stored(
    connection: Connection, budget: Budget, first: date, last: date
) -> tuple[Sequence[Row[Any]], Sequence[Row[Any]]]:
    """The evaluations of each of these days, and the alarms."""
    values = {"layer": budget.layer_id, "rules": list(budget.rules), "first": first, "last": last}
    return connection.execute(_EVALUATIONS, values).all(), connection.execute(_ALARMS, values).all()


def _by_month(rows: Sequence[Row[Any]]) -> dict[date, list[Row[Any]]]:
    months = defaultdict(list)
    for row in rows:
        months[row.day.replace(day=1)].append(row)
    return months


def _tally(budget: Budget, evaluations: Sequence[Row[Any]], alarms: Sequence[Row[Any]]) -> Tally:
    real = [evaluation for evaluation in evaluations if evaluation.p]
    spaced = [evaluation for evaluation in real if evaluation.day.toordinal() % APART_DAYS == 0]
    outcomes = [alarm.outcome for alarm in alarms]
    answers = Outcomes(outcomes.count("true"), outcomes.count("false"))
    return Tally(
        layer_id=budget.layer_id,
        days=len(real),
        simulated_days=len(evaluations) - len(real),
        alarms=len(alarms) - answers.true,
        answers=answers,
        allowed=budget.false_alerts_a_year * len(real) / DAYS_A_YEAR,
        p_values=tuple(p for evaluation in real for p in evaluation.p),
        spaced=tuple(p for evaluation in spaced for p in evaluation.p),
        spaced_least=tuple(p for evaluation in spaced for p in evaluation.least_p),
    )


def calibration_findings(
    tally: Tally, titles: tuple[str, str], policy: Policy, now: datetime, *, official: bool
) -> Findings:
    """The findings of the rule `calibration_degraded`: a signal when a measure is out of band.

    `official`: true if the boundaries in force are.
    """
    faults = tally.faults()
    daily = replace(policy, same_gap=timedelta(0), close_days=None, quiet=timedelta(days=1))
    return Findings(
        layer_id=tally.layer_id,
        rule=RULE,
        until=now,
        official=official,
        simulated=False,
        signals=(_signal(tally, titles, faults, now),) if faults else (),
        policy=daily,
    )


def _signal(
    tally: Tally, titles: tuple[str, str], faults: Sequence[tuple[str, str]], now: datetime
) -> Signal:
    vi, en = ("; ".join(texts) for texts in zip(*faults, strict=True))
    return Signal(
        tier=Tier.ALERT,
        observed=float(tally.alarms),
        expected=tally.allowed,
        since=now - timedelta(days=WINDOW_DAYS),
        until=now,
        headline_vi=f"Cảnh báo thống kê của lớp “{titles[0]}” không còn đúng hạn mức: {vi}",
        headline_en=f"The statistical alerts of “{titles[1]}” are out of calibration: {en}",
        measures={"days": float(tally.days), "small_p": float(tally.small)},
        key=tally.layer_id,
    )
