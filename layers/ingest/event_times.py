"""Plausible times of records: default days of programs and mistyped years are faults."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta

from gis.clock import HERE
from layers.definition.model import Occurrence


def implausible_times(
    instants: Sequence[datetime | None], occurrence: Occurrence, today: date
) -> Iterator[tuple[int, str]]:
    """The rows whose time is before or after what the layer takes, and why."""
    first = datetime.combine(occurrence.earliest, time(), HERE)
    last = datetime.combine(today + timedelta(days=occurrence.ahead_days + 1), time(), HERE)
    given = [instant for instant in instants if instant is not None]
    if not given or (min(given) >= first and max(given) < last):
        return
    for row, instant in enumerate(instants):
        if instant is not None and not first <= instant < last:
            day = instant.astimezone(HERE).date().isoformat()
            bounds = f"{occurrence.earliest} … {last.date() - timedelta(days=1)}"
            why = (
                f"“{day}” không thể là ngày xảy ra; phải trong {bounds} (đổi ở `earliest`, "
                "`ahead_days` trong tệp lớp) / it cannot have happened on this day: give one in "
                f"{bounds}, or change `earliest`, `ahead_days` in the layer file"
            )
            yield row, why
