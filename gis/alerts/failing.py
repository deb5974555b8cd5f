"""An alarm that cannot run is itself an alert, since who relies on it would take its silence for
quiet.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from gis.alerts.applying import AlertChanges, apply_findings
from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Policy, Tier
from gis.clock import HERE

RULE = "alarm_failing"

# What fails is the stream of the alert.
_NAMES = {
    "stp_scan": ("quét cụm", "scan"),
    "series": ("chuỗi theo xã", "series"),
    "nulls": ("mức ngẫu nhiên của quét cụm", "nulls of the scan"),
}
WORKS = tuple(_NAMES)


def tell_failing(
    connection: Connection,
    layer_id: str,
    titles: tuple[str, str],
    work: str,
    policy: Policy,
    since: datetime,
    now: datetime,
    *,
    official: bool,
) -> AlertChanges:
    """Open or keep the alert that one of `WORKS` has failed on a layer since a moment.

    `titles` of the layer in Vietnamese and English. It says nothing of the error: the public may
    read it.
    """
    (vi, en), day = _NAMES[work], since.astimezone(HERE).strftime("%H:%M %d/%m/%Y")
    signal = Signal(
        tier=Tier.ALERT,
        observed=1.0,
        since=since,
        until=now,
        headline_vi=f"Cảnh báo tự động của lớp “{titles[0]}” không chạy được: {vi}",
        headline_en=f"The alarm of “{titles[1]}” cannot run: {en}",
        detail_vi=f"Lỗi liên tục từ {day}; báo cáo mới chưa được xét. Xem nhật ký của dịch vụ.",
        detail_en=f"It has failed since {day}; new reports are not judged. See the service's log.",
        key=work,
    )
    return _look(connection, layer_id, work, policy, now, official, signal)


def tell_running(
    connection: Connection, layer_id: str, work: str, policy: Policy, now: datetime
) -> AlertChanges:
    """Close the alert of that work, if there is one."""
    return _look(connection, layer_id, work, policy, now, official=True)


def failing_alarms(connection: Connection) -> int:
    """How many layers have an alarm that is known to fail now."""
    return int(connection.scalar(_FAILING, {"rule": RULE}) or 0)


_FAILING = text("""
SELECT count(DISTINCT layer_id) FROM gis.alert
WHERE rule = :rule AND status NOT IN ('resolved', 'false', 'expired')
""")


def _look(
    connection: Connection,
    layer_id: str,
    work: str,
    policy: Policy,
    now: datetime,
    official: bool,
    *signals: Signal,
) -> AlertChanges:
    # What fails after a person closed the alert is another failure; a good run ends it at once.
    at_once = replace(policy, same_gap=timedelta(0), close_days=None, quiet=timedelta(0))
    found = Findings(layer_id, RULE, now, official, False, signals, at_once, work)
    return apply_findings(connection, found, now, alone=True)
