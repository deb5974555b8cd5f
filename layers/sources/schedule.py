"""When a source is read next, and until when its promise is kept. Times of the layer file are those
of Vietnam, which has no summer time."""

import random
from datetime import datetime, time, timedelta

from gis.clock import HERE
from layers.definition.model import FeedSource, Promise

FAILURES_TO_OPEN = 5  # in a row, until a source is left alone for longer
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=15)
OPEN_FOR = timedelta(hours=1)


def next_run(source: FeedSource, after: datetime) -> datetime:
    """The first time of the schedule after a moment."""
    from cronsim import CronSim

    here = after.astimezone(HERE).replace(tzinfo=None)
    return next(CronSim(source.schedule, here)).replace(tzinfo=HERE)


def pause_after(failures: int, asked_s: float | None = None) -> timedelta:
    """The pause after so many failures in a row: twice as long each, up to a bound, and never the
    same for all, so that many sources do not come back at once.

    `asked_s`: seconds for which the source asked to be left alone.
    """
    if failures >= FAILURES_TO_OPEN:
        pause = OPEN_FOR
    else:
        pause = min(_FIRST_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE)
    asked = timedelta(seconds=min(asked_s or 0, OPEN_FOR.total_seconds() * 24))
    return max(pause * random.uniform(0.75, 1.25), asked)


def fresh_until(promise: Promise | None, fresh_at: datetime | None, since: datetime) -> datetime:
    """When a promise is missed unless something fresh comes before.

    `fresh_at` is what was fresh last, None: nothing yet; `since`: from when on it is promised.
    """
    if promise is None:
        return datetime.max.replace(tzinfo=HERE)
    if promise.greatest_age is not None:
        return (fresh_at or since) + promise.greatest_age
    assert promise.fresh_by is not None
    by = time.fromisoformat(promise.fresh_by)
    # A day that was read is followed by the next; one that was begun after its hour is let off.
    begun = (fresh_at or since).astimezone(HERE)
    day = begun.date()
    if fresh_at is not None or begun.time() > by:
        day += timedelta(days=1)
    return datetime.combine(day, by, HERE)
