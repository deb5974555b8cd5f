"""Retention of what was sent: bodies, answers to them, and cells that no layer file declares."""

from sqlalchemy import Connection, text

_PUSHED_DAYS = 7


def forget_sent(connection: Connection, undeclared_days: int) -> None:
    """Delete bodies and answers after a week, and undeclared cells so many days after they came.

    Undeclared cells go with their record too, but not with the file of their layer: it may come
    back.
    """
    connection.execute(_FORGET_PUSHED, {"days": _PUSHED_DAYS})
    connection.execute(_FORGET_UNDECLARED, {"days": undeclared_days})


_FORGET_PUSHED = text("DELETE FROM gis.pushed WHERE at < now() - make_interval(days => :days)")
_FORGET_UNDECLARED = text("""
DELETE FROM private.undeclared u
WHERE sent_at < now() - make_interval(days => :days)
   OR NOT EXISTS (
     SELECT FROM gis.quarantine q
     WHERE (q.layer_id, q.source, q.source_key) = (u.layer_id, u.source, u.source_key)
       AND q.status <> 'dropped')
""")
