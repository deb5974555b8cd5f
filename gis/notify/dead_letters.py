"""Alerts about failed deliveries and CAP documents that were given up, sent to all others."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Policy, Tier
from gis.alerts.updates import apply_findings
from gis.notify.outbox import Delivery

RULE = "delivery"
# A failure after a person closed the alert is another one.
_POLICY = Policy(same_gap=timedelta(0))

_COUNT_DEAD = text("""
SELECT count(*) FROM gis.delivery
WHERE subscription_id = :id AND status = 'dead' AND ended_at > now() - interval '1 day'
""")
_COUNT_UNDONE = text("SELECT count(*) FROM gis.cap_retry WHERE ended_at > now() - interval '1 day'")


@dataclass(frozen=True, slots=True)
class _Failure:
    """A kind of failure, its count within a day, and its texts in Vietnamese and English."""

    key: str
    count: int
    headline: tuple[str, str]
    detail: tuple[str, str]


def raise_dead_letter_alerts(connection: Connection, delivery: Delivery) -> None:
    """Open or update the alert that this subscription fails, in the caller's transaction.

    The alert names the subscription by its number alone, since the public may read it. A failed
    delivery of such an alert raises no other.
    """
    notification = delivery.notification
    if notification.rule == RULE:
        return
    number = delivery.subscription_id
    dead = connection.scalar(_COUNT_DEAD, {"id": number}) or 0
    failure = _Failure(
        key=f"subscription {number}",
        count=dead,
        headline=(
            f"Không gửi được cảnh báo: đăng ký số {number}",
            f"Alerts could not be delivered: subscription {number}",
        ),
        detail=(
            f"{dead} tin không gửi được trong một ngày. Xem: gis subscriptions list",
            f"{dead} messages given up within a day. See: gis subscriptions list",
        ),
    )
    _raise(connection, failure, notification.layer_id, official=notification.official)


def raise_unpublished_alerts(connection: Connection, row: Row[Any]) -> None:
    """Open or update the alert that no CAP document could be made; `row`: of gis.notification."""
    if row.alert.get("rule") == RULE:
        return
    undone = connection.scalar(_COUNT_UNDONE) or 0
    failure = _Failure(
        key="CAP",
        count=undone,
        headline=(
            f"Không lập được bản tin CAP của cảnh báo số {row.alert_id}",
            f"No CAP document could be made of alert {row.alert_id}",
        ),
        detail=(
            f"{undone} văn bản không lập được trong một ngày. Xem nhật ký của dịch vụ; "
            "sửa xong thì chạy: gis alerts publish",
            f"{undone} documents given up within a day. See the log of the service; "
            "when it is fixed: gis alerts publish",
        ),
    )
    _raise(connection, failure, row.layer_id, official=bool(row.alert.get("official")))


def _raise(connection: Connection, failure: _Failure, layer_id: str, *, official: bool) -> None:
    now = datetime.now(UTC)
    signal = Signal(
        tier=Tier.ALERT,
        observed=failure.count,
        since=now,
        until=now,
        headline_vi=failure.headline[0],
        headline_en=failure.headline[1],
        detail_vi=failure.detail[0],
        detail_en=failure.detail[1],
        key=failure.key,
    )
    findings = Findings(layer_id, RULE, now, official, False, (signal,), _POLICY, failure.key)
    apply_findings(connection, findings, now, alone=True)
