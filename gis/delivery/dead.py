"""A message that was given up is itself an alert, told to all the others."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from gis.alerts.applying import apply_findings
from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Policy, Tier
from gis.delivery.outbox import Delivery

RULE = "delivery"
# What dies after a person closed the alert is another failure.
_POLICY = Policy(same_gap=timedelta(0))

_DEAD = text("""
SELECT count(*) FROM gis.delivery
WHERE subscription_id = :id AND status = 'dead' AND ended_at > now() - interval '1 day'
""")


def tell_dead(connection: Connection, delivery: Delivery) -> None:
    """Open or update the alert that this subscription fails, in the caller's transaction.

    The alert names the subscription by its number alone, since the public may read it. That such
    an alert could not be delivered raises no other.
    """
    told = delivery.told
    if told.rule == RULE:
        return
    dead = connection.scalar(_DEAD, {"id": delivery.subscription_id}) or 0
    name = f"subscription {delivery.subscription_id}"
    now = datetime.now(UTC)
    signal = Signal(
        tier=Tier.ALERT,
        observed=dead,
        since=now,
        until=now,
        headline_vi=f"Không gửi được cảnh báo: đăng ký số {delivery.subscription_id}",
        headline_en=f"Alerts could not be delivered: subscription {delivery.subscription_id}",
        detail_vi=f"{dead} tin không gửi được trong một ngày. Xem: gis subscriptions list",
        detail_en=f"{dead} messages given up within a day. See: gis subscriptions list",
        key=name,
    )
    found = Findings(told.layer_id, RULE, now, told.official, False, (signal,), _POLICY, name)
    apply_findings(connection, found, now, alone=True)
