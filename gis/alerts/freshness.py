"""The alert that a source has not kept its promise: people would take old data for today's."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Policy, Tier
from gis.alerts.updates import AlertChanges, apply_findings
from gis.clock import HERE

RULE = "stale_source"
_KEY = "source"


def raise_stale_alert(
    connection: Connection,
    layer_id: str,
    titles: tuple[str, str],
    stewards: tuple[str, str],
    policy: Policy,
    since: datetime,
    last_success: datetime | None,
    now: datetime,
    *,
    official: bool,
    simulated: bool,
) -> AlertChanges:
    """Open the alert that the source of a layer was not read when it was promised.

    `titles` and `stewards` of the layer in Vietnamese and English. It says nothing of the error:
    the public may read it.
    """
    by = _time(since)
    last_vi = f"lần đọc cuối {_time(last_success)}" if last_success else "chưa đọc được lần nào"
    last_en = f"last read {_time(last_success)}" if last_success else "it was never read"
    signal = Signal(
        tier=Tier.ALERT,
        observed=1.0,
        since=since,
        until=now,
        headline_vi=f"Dữ liệu “{titles[0]}” không được cập nhật đúng hẹn",
        headline_en=f"“{titles[1]}” is not as fresh as promised",
        detail_vi=f"Hẹn đến {by}; {last_vi}. Đơn vị phụ trách: {stewards[0]}. "
        f"Xem: gis sources show {layer_id}",
        detail_en=f"Promised by {by}; {last_en}. Steward: {stewards[1]}. "
        f"See: gis sources show {layer_id}",
        key=_KEY,
        simulated=simulated,
    )
    return _evaluation(connection, layer_id, policy, now, official, signal)


def close_stale_alert(
    connection: Connection, layer_id: str, policy: Policy, now: datetime
) -> AlertChanges:
    """Close the alert, if there is one: the source is fresh again, or promises nothing."""
    return _evaluation(connection, layer_id, policy, now, official=True)


def _evaluation(
    connection: Connection,
    layer_id: str,
    policy: Policy,
    now: datetime,
    official: bool,
    *signals: Signal,
) -> AlertChanges:
    # What is missed after a person closed the alert is another failure; a reading ends it at once.
    at_once = replace(policy, same_gap=timedelta(0), close_days=None, quiet=timedelta(0))
    findings = Findings(layer_id, RULE, now, official, False, signals, at_once)
    return apply_findings(connection, findings, now, alone=True)


def _time(moment: datetime) -> str:
    return moment.astimezone(HERE).strftime("%H:%M %d/%m/%Y")
