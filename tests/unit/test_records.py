"""Records as JSON: over HTTP and from the command line, of one form."""

from datetime import UTC, datetime

import orjson

from api.cli import alerts as alert_commands
from api.cli import subscriptions as subscription_commands
from api.records import (
    alert_record,
    json_ready,
    precision_record,
    silence_record,
    subscription_record,
)
from gis.alerts.actions import Alert
from gis.alerts.inhibition import Silence
from gis.alerts.precision import Outcomes, RulePrecision
from gis.alerts.states import Status
from gis.alerts.suppression import InhibitedBy
from gis.notify.subscriptions import Subscription, SubscriptionRequest

NOON = datetime(2026, 3, 1, 5, tzinfo=UTC)
ALERT = Alert(
    3, "reports", "scan", "flood", Status.OPEN, "alert", "Ngập", "Flood", "chi tiết", "detail",
    (("02647", "phường Lào Cai"), ("02683", "xã Bát Xát")), 7, 1.5, 0.01, 40.0, NOON, NOON, (1, 2),
    False, True, NOON, NOON, None, False, False, False, InhibitedBy(2), people=1200.4,
    acknowledged_by=None, acknowledged_at=None, within_id=None, within_published=False,
    situation=None, bbox=(104, 22, 105, 23),
)  # fmt: skip
SILENCE = Silence(1, "reports", None, frozenset({"02683", "02647"}), "desk", "drill", NOON, NOON)
WISH = SubscriptionRequest("desk", "mail", "a@b.vn", layers=("reports", "rain"))


def test_members_of_another_name_hold_the_same_value():
    over_http, shown = json_ready(alert_record(ALERT)), alert_commands._facts(ALERT)
    names = {"layer": "layer_id", "headline": "headline_vi", "detail": "detail_vi"}
    texts = {"communes": "phường Lào Cai, xã Bát Xát", "suppressed_why": "within alert 2"}
    written = orjson.loads(orjson.dumps(shown))
    assert written == {name: over_http[names.get(name, name)] for name in written} | texts
    assert list(shown)[:4] == ["id", "status", "severity", "layer"]
    assert over_http["suppressed_why"] == {"kind": "within", "alert_id": 2}
    assert over_http["since"] == "2026-03-01T05:00:00+00:00"


def test_lists_and_shares_are_text_in_a_row_and_json_over_http():
    record = silence_record(SILENCE)
    assert record["communes"] == ["02647", "02683"]
    row = alert_commands._silence_row(record)
    assert (row["layer"], row["communes"]) == ("reports", "02647 02683")
    assert "created_at" not in row
    record = precision_record(RulePrecision("reports", "scan", False, 4, Outcomes(2, 1), 1))
    row = alert_commands._precision_row(record)
    assert row["share_true"] == 0.667 and record["share_true"] == 2 / 3
    assert row["interval"] == f"{record['interval'][0]:.2f}–{record['interval'][1]:.2f}"


def test_a_subscription_shows_no_secret_and_its_layers():
    subscription = Subscription(5, WISH, NOON, "desk", 1, 0, 0, "")
    row, record = subscription_commands._row(subscription), subscription_record(subscription)
    assert (row["id"], row["layers"], row["channel"]) == (5, "reports rain", "mail")
    assert record["layers"] == ["reports", "rain"] and "secret" not in record | row
