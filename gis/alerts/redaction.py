"""Alerts that rested on a field which became personal: ended, and without what they told of it.

That there was an alert, where, when, and what people did about it stays.
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
    records = '{}', evidence = '{}', measures = '{}', told = NULL, observed = 0, expected = NULL,
    llr = NULL, p = NULL, recurrence_days = NULL, resumes = NULL, updated_at = now(),
    status = CASE WHEN status = ANY(:ends) THEN status ELSE 'expired' END,
    resolved_at = coalesce(resolved_at, now())
WHERE id = ANY(:ids)
""")
_FORGET_LOOKS = text("""
DELETE FROM gis.alert_look WHERE layer_id = :layer AND rule = ANY(:rules)
""")
# Notices are read again by event streams, by deliveries that wait and by the makers of documents.
_REDACT_NOTICES = text("""
UPDATE gis.notice n
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
    """End the alerts that these rules raised on a layer, and take from them, from what was told of
    them and from their CAP documents what they say of its records; gives how many there are.
    """
    lock_alerts(connection, layer_id)
    of = {"layer": layer_id, "rules": list(rules)}
    found = connection.execute(_FOUND, of).all()
    ends = [status.value for status in ENDS]
    words = {"vi": HEADLINES[0], "en": HEADLINES[1], "ids": [row.id for row in found]}
    connection.execute(_REDACT, words | {"ends": ends})
    connection.execute(_REDACT_NOTICES, words)
    connection.execute(_WITHDRAW, words)
    connection.execute(_FORGET_LOOKS, of)
    for row in found:
        if row.status not in ends:
            record_event(connection, row.id, SERVICE, Act.EXPIRED, "", notify=True)
    return len(found)
