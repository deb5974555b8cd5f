"""Redaction of alerts that rested on a field which became personal: ended, without its content.

The fact of the alert, its place, times and the acts of people stay.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from gis.alerts.states import ENDS, Act
from gis.alerts.store import SERVICE, lock_alerts, record_event

HEADLINES = (
    "Nội dung đã ẩn: cảnh báo này dựa trên dữ liệu nay là dữ liệu cá nhân",
    "Withheld: this alert rested on what is personal data by now",
)

_FOUND = text("""
SELECT id, status FROM gis.alert WHERE layer_id = :layer AND rule = ANY(:rules) ORDER BY id
""")
_REDACT = text("""
UPDATE gis.alert
SET headline_vi = :vi, headline_en = :en, detail_vi = '', detail_en = '', stream = '', key = NULL,
    records = '{}', evidence = '{}', measures = '{}', last_notification = NULL,
    observed = 0, expected = NULL, llr = NULL, p = NULL, recurrence_days = NULL, resumes = NULL,
    updated_at = now(),
    status = CASE WHEN status = ANY(:ends) THEN status ELSE 'expired' END,
    resolved_at = coalesce(resolved_at, now())
WHERE id = ANY(:ids)
""")
_DELETE_EVALUATIONS = text("""
DELETE FROM gis.alert_evaluation WHERE layer_id = :layer AND rule = ANY(:rules)
""")
# Events are read again by event streams, waiting deliveries and the publication of CAP documents.
_REDACT_EVENTS = text("""
UPDATE gis.notification n
SET alert = (n.alert - '{stream,key,measures,llr,p,expected,recurrence_days,run}'::text[])
  || jsonb_build_object(
    'headline_vi', CAST(:vi AS text), 'headline_en', CAST(:en AS text), 'detail_vi', '',
    'detail_en', '', 'observed', 0,
    'layer', ((n.alert -> 'layer') #- '{alerts,rules}'::text[])
             || jsonb_build_object('subject', n.alert #> '{layer,title}'::text[]))
WHERE alert_id = ANY(:ids)
""")
_WITHDRAW = text("""
UPDATE gis.cap_message SET document = '', withdrawn_at = now() WHERE alert_id = ANY(:ids)
""")


def redact_alerts(connection: Connection, layer_id: str, rules: Sequence[str]) -> int:
    """End the alerts that these rules raised on a layer, and delete what they, their events and
    their CAP documents say of its records; gives their number.
    """
    lock_alerts(connection, layer_id)
    values = {"layer": layer_id, "rules": list(rules)}
    rows = connection.execute(_FOUND, values).all()
    ends = [status.value for status in ENDS]
    texts = {"vi": HEADLINES[0], "en": HEADLINES[1], "ids": [row.id for row in rows]}
    connection.execute(_REDACT, texts | {"ends": ends})
    connection.execute(_REDACT_EVENTS, texts)
    connection.execute(_WITHDRAW, texts)
    connection.execute(_DELETE_EVALUATIONS, values)
    for row in rows:
        if row.status not in ends:
            record_event(connection, row.id, SERVICE, Act.EXPIRED, "", notify=True)
    return len(rows)
