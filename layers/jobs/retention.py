"""Retention of what was sent (bodies, answers to them, undeclared cells), and of measurements."""

from datetime import date

import structlog
from sqlalchemy import Connection, text

from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.series.partitions import drop_months

log = structlog.get_logger("retention")

_PUSHED_DAYS = 7


def forget_sent(connection: Connection, undeclared_days: int) -> None:
    """Delete bodies and answers after a week, and undeclared cells so many days after they came.

    Undeclared cells go with their record too, but not with the file of their layer: it may come
    back.
    """
    connection.execute(_FORGET_PUSHED, {"days": _PUSHED_DAYS})
    connection.execute(_FORGET_UNDECLARED, {"days": undeclared_days})


def forget_measurements(database: Database, catalogue: Catalogue, today: date) -> None:
    """Drop the months of measurements that their layer files keep no more; each is logged."""
    for layer in catalogue.layers:
        if layer.series is not None and layer.series.keep_months is not None:
            with database.writing() as connection:
                for month in drop_months(connection, layer, today):
                    log.info("measurements dropped", layer=layer.id, month=f"{month:%Y-%m}")


_FORGET_PUSHED = text("DELETE FROM gis.pushed WHERE at < now() - make_interval(days => :days)")
_FORGET_UNDECLARED = text("""
DELETE FROM private.undeclared u
WHERE sent_at < now() - make_interval(days => :days)
   OR NOT EXISTS (
     SELECT FROM gis.quarantine q
     WHERE (q.layer_id, q.source, q.source_key) = (u.layer_id, u.source, u.source_key)
       AND q.status <> 'dropped')
""")
