"""Shifts of the duty roster, their local times, and the hours that none covers. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from gis.clock import HERE
from gis.errors import BadInput

# The day first, as in Vietnam, or the year first.
_MOMENT = re.compile(
    r"(?:(?P<d>\d{1,2})[/.-](?P<m>\d{1,2})[/.-](?P<y>\d{4})|(?P<y2>\d{4})-(?P<m2>\d\d)-(?P<d2>\d\d))"
    r"(?:[ T]+(?P<hour>\d{1,2})(?::|h|g)(?P<minute>\d\d)?(?::00(?:\.0+)?)?)?"
)


@dataclass(frozen=True, slots=True)
class Shift:
    """A person on duty from `since` up to, not including, `until`.

    Empty communes (codes of today), layers or categories: all. An empty channel: each channel of
    the person's subscriptions.
    """

    who: str
    since: datetime
    until: datetime
    communes: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    channel: str = ""

    def is_at(self, moment: datetime) -> bool:
        return self.since <= moment < self.until

    def covers(self, subject: "Subject") -> bool:
        """True where the person is notified of alerts of this subject while on duty."""
        return (
            (not self.communes or subject.commune in self.communes)
            and (not self.layers or subject.layer_id in self.layers)
            and (not self.categories or subject.category in self.categories)
        )


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What somebody must be on duty for: alerts of a category of a layer in a commune.

    An empty category: alerts of the layer that have none, or one that no shift names.
    """

    layer_id: str
    category: str
    commune: str


@dataclass(frozen=True, slots=True)
class RosterGap:
    """A time in which nobody is on duty for some subjects. `whole`: for none at all is anybody."""

    since: datetime
    until: datetime
    subjects: frozenset[Subject]
    whole: bool

    @property
    def hours(self) -> float:
        return (self.until - self.since) / timedelta(hours=1)


def local_moment(text: str) -> datetime:
    """A local time such as `2026-12-01 07:00`, `01/12/2026 7h30` or `01/12/2026 24:00`, as UTC.

    Without an hour it is the beginning of the day. The day comes first, as in Vietnam, or the year.
    Raises BadInput.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"“{text}” is no time: write 2026-12-01 07:00 or 01/12/2026 07:00")
    day, month, year = (int(match[name] or match[f"{name}2"]) for name in ("d", "m", "y"))
    hour, minute = int(match["hour"] or 0), int(match["minute"] or 0)
    if hour > 24 or minute > 59 or (hour == 24 and minute):
        raise BadInput(f"“{text}” has no time of a day: it is from 00:00 to 24:00")
    try:
        midnight = datetime(year, month, day, tzinfo=HERE)
        return (midnight + timedelta(hours=hour, minutes=minute)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"“{text}” is no day of the calendar: the day comes first") from error


def subjects_of(
    shifts: Iterable[Shift], layers: Collection[str], communes: Collection[str]
) -> frozenset[Subject]:
    """What somebody must be on duty for: each commune, of each layer, the rest and each category
    that a shift names.
    """
    named = {category for shift in shifts for category in shift.categories}
    return frozenset(
        Subject(layer, category, commune)
        for layer in layers
        for category in ("", *named)
        for commune in communes
    )


def gaps(
    shifts: Sequence[Shift], subjects: Collection[Subject], since: datetime, until: datetime
) -> list[RosterGap]:
    """The times between two moments in which nobody is on duty for some subjects, in order.

    Neighbouring times with the same subjects are one gap.
    """
    ends = {moment for shift in shifts for moment in (shift.since, shift.until)}
    moments = sorted({since, until, *(moment for moment in ends if since < moment < until)})
    found: list[RosterGap] = []
    for start, end in pairwise(moments):
        on_duty = [shift for shift in shifts if shift.is_at(start)]
        missing = _missing(on_duty, subjects)
        if not missing:
            continue
        if found and found[-1].until == start and found[-1].subjects == missing:
            found[-1] = replace(found[-1], until=end)
        else:
            found.append(RosterGap(start, end, missing, len(missing) == len(subjects)))
    return found


def outside(shift: Shift, since: datetime, until: datetime) -> Iterator[Shift]:
    """The parts of a shift before and after a time; the shift itself where it does not meet it."""
    if shift.until <= since or shift.since >= until:
        yield shift
        return
    if shift.since < since:
        yield replace(shift, until=since)
    if shift.until > until:
        yield replace(shift, since=until)


def _missing(on_duty: Sequence[Shift], subjects: Collection[Subject]) -> frozenset[Subject]:
    if any(not (shift.communes or shift.layers or shift.categories) for shift in on_duty):
        return frozenset()
    return frozenset(
        subject for subject in subjects if not any(shift.covers(subject) for shift in on_duty)
    )
