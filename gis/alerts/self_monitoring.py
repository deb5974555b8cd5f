"""Alerts about alarms that cannot run, or not by their latest rules: without one, people would
take their silence for quiet.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Policy, Tier
from gis.alerts.updates import AlertChanges, apply_findings
from gis.clock import HERE

RULE = "alarm_failing"

# What fails is the stream of the alert.
LAYER_FILE = "layer_file"
_NAMES = {
    "stp_scan": ("quét cụm", "scan"),
    "series": ("chuỗi theo xã", "series"),
    "joint_scan": ("quét nhiều lĩnh vực", "joint scan"),
    "nulls": ("mức ngẫu nhiên của quét cụm", "nulls of the scan"),
}
WORKS = (*_NAMES, LAYER_FILE)


def raise_failing_alert(
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
    """Open or update the alert that one of `WORKS` has failed on a layer since a moment.

    `titles` of the layer in Vietnamese and English. It says nothing of the error: the public may
    read it.
    """
    headlines, details = _message(work, titles, since.astimezone(HERE).strftime("%H:%M %d/%m/%Y"))
    signal = Signal(
        tier=Tier.ALERT,
        observed=1.0,
        since=since,
        until=now,
        headline_vi=headlines[0],
        headline_en=headlines[1],
        detail_vi=details[0],
        detail_en=details[1],
        key=work,
    )
    return _evaluation(connection, layer_id, work, policy, now, official, signal)


def _message(
    work: str, titles: tuple[str, str], day: str
) -> tuple[tuple[str, str], tuple[str, str]]:
    """Headlines and details, each in Vietnamese and English."""
    if work == LAYER_FILE:
        return (
            f"Không đọc được tệp cấu hình của lớp “{titles[0]}”",
            f"The layer file of “{titles[1]}” cannot be read",
        ), (
            f"Tệp có lỗi từ {day}; cảnh báo vẫn chạy theo cấu hình đúng gần nhất. Dùng lệnh "
            "`gis layers check` để xem lỗi.",
            f"It has been at fault since {day}; alarms go on by the last good one. "
            "`gis layers check` names the fault.",
        )
    vi, en = _NAMES[work]
    return (
        f"Cảnh báo tự động của lớp “{titles[0]}” không chạy được: {vi}",
        f"The alarm of “{titles[1]}” cannot run: {en}",
    ), (
        f"Lỗi liên tục từ {day}; báo cáo mới chưa được xét. Xem nhật ký của dịch vụ.",
        f"It has failed since {day}; new reports are not judged. See the service's log.",
    )


def close_failing_alert(
    connection: Connection, layer_id: str, work: str, policy: Policy, now: datetime
) -> AlertChanges:
    """Close the alert of that work, if there is one."""
    return _evaluation(connection, layer_id, work, policy, now, official=True)


def failing_alarms(connection: Connection, layers: Collection[str]) -> int:
    """The number of these layers of which an alarm or the file is failing now."""
    return int(connection.scalar(_FAILING, {"rule": RULE, "layers": list(layers)}) or 0)


_FAILING = text("""
SELECT count(DISTINCT layer_id) FROM gis.alert
WHERE rule = :rule AND layer_id = ANY(:layers) AND status NOT IN ('resolved', 'false', 'expired')
""")


def _evaluation(
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
    findings = Findings(layer_id, RULE, now, official, False, signals, at_once, work)
    return apply_findings(connection, findings, now, alone=True)
