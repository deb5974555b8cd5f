"""The alert that nobody is on duty, now or within a day: one, updated, closed when filled."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Policy, Tier
from gis.alerts.store import live_keys
from gis.alerts.updates import AlertChanges, apply_findings
from gis.clock import HERE
from gis.notify.roster.shifts import RosterGap, Subject, gaps, subjects_of
from gis.notify.roster.store import has_roster, reachable_shifts

RULE = "duty_gap"
LAYER_ID = "alerts"  # the layer of all alerts: the gap may be of several
_KEY = "duty"
AHEAD = timedelta(hours=24)
# Of one that a person closed nothing is said for a day, unless it has come meanwhile; a filled one
# ends at once.
_POLICY = Policy(same_gap=AHEAD, close_days=None, quiet=timedelta(0))
_SHOWN = 5


def roster_gaps(
    connection: Connection, layers: Collection[str], since: datetime, until: datetime
) -> list[RosterGap]:
    """The times in which nobody who can be reached is on duty for some of these layers' alerts."""
    shifts = reachable_shifts(connection, since, until)
    communes = connection.scalars(text("SELECT code FROM layer.communes")).all()
    return gaps(shifts, subjects_of(shifts, layers, communes), since, until)


def judge_roster(
    connection: Connection, layers: Collection[str], now: datetime, *, official: bool = True
) -> AlertChanges:
    """Raise, update or close the alert; a service without a roster has none."""
    found = roster_gaps(connection, layers, now, now + AHEAD) if has_roster(connection) else []
    if not found and not live_keys(connection, LAYER_ID, RULE):
        return AlertChanges()
    signals = (_signal(connection, found, now),) if found else ()
    findings = Findings(LAYER_ID, RULE, now, official, False, signals, _POLICY)
    return apply_findings(connection, findings, now, alone=True)


def _signal(connection: Connection, found: Sequence[RosterGap], now: datetime) -> Signal:
    first = found[0]
    is_now = first.since <= now
    end = now + AHEAD
    subjects = frozenset(subject for gap in found for subject in gap.subjects)
    whole = any(gap.whole for gap in found)
    scope_vi, scope_en = _scope(connection, subjects, whole=whole)
    begin_vi = "ngay lúc này" if is_now else f"từ {_time(first.since)}"
    begin_en = "now" if is_now else f"from {_time(first.since)}"
    times = "; ".join(_span(gap, now, end) for gap in found[:_SHOWN])
    return Signal(
        tier=Tier.URGENT if is_now else Tier.ALERT,
        # Whole hours of the next day that lie behind the first moment without anybody: it grows as
        # that moment comes near, so that its coming is news.
        observed=float((end - first.since) // timedelta(hours=1)),
        since=now,
        until=now,
        headline_vi=f"Không có người trực {begin_vi}",
        headline_en=f"Nobody is on duty {begin_en}",
        detail_vi=f"{scope_vi}: {times}. Nạp lịch trực bổ sung: gis roster load",
        detail_en=f"{scope_en}: {times}. Load a roster that fills it: gis roster load",
        key=_KEY,
    )


def _scope(connection: Connection, subjects: frozenset[Subject], *, whole: bool) -> tuple[str, str]:
    if whole:
        return "Mọi lĩnh vực, toàn tỉnh", "All alerts, the whole province"
    layers = sorted({subject.layer_id for subject in subjects})
    codes = sorted({subject.commune for subject in subjects})
    categories = sorted({subject.category for subject in subjects if subject.category})
    names = connection.execute(
        text("SELECT full_name FROM layer.communes WHERE code = ANY(:codes) ORDER BY code"),
        {"codes": codes},
    )
    shown = ", ".join([*names.scalars().all()[:_SHOWN]])
    more = "…" if len(codes) > _SHOWN else ""
    what = ", ".join(layers) + (f" ({', '.join(categories)})" if categories else "")
    return (
        f"{what}, {len(codes)} xã, phường ({shown}{more})",
        f"{what}, {len(codes)} communes ({shown}{more})",
    )


def _span(gap: RosterGap, now: datetime, end: datetime) -> str:
    """The time of a gap without what moves by itself: the present, and the end of the day ahead."""
    begin = "…" if gap.since <= now else _time(gap.since)
    return f"{begin} – {'…' if gap.until >= end else _time(gap.until)}"


def _time(moment: datetime) -> str:
    return moment.astimezone(HERE).strftime("%H:%M %d/%m/%Y")
