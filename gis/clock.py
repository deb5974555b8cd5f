"""The calendar of the country: its days begin at midnight of UTC+07:00, all year round."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, timezone

from gis.errors import BadInput

HERE = timezone(timedelta(hours=7))


def today() -> date:
    """The day of today in the country; the same as gis.today() in SQL."""
    return datetime.now(HERE).date()


def this_minute() -> datetime:
    """The beginning of the present minute, in UTC: rosters and hand-overs know no seconds."""
    return datetime.now(UTC).replace(second=0, microsecond=0)


def month_from(text: str) -> date:
    """The first day of a month written as 2026-10; raises BadInput for other text."""
    if not re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", text) or text.startswith("0000"):
        raise BadInput(f"{text!r} is no month: write year and month, as 2026-10")
    return date.fromisoformat(f"{text}-01")


def last_day_of(month: date) -> date:
    return month.replace(day=monthrange(month.year, month.month)[1])
