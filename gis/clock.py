"""The calendar of the country: its days begin at midnight of UTC+07:00, all year round."""

from datetime import date, datetime, timedelta, timezone

HERE = timezone(timedelta(hours=7))


def today() -> date:
    """The day that people have who are there; the same as gis.today() in SQL."""
    return datetime.now(HERE).date()
