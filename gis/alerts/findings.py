"""What a detector tells the alerts: the signals of one look at one stream of one layer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gis.alerts.policy import Policy, Tier


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that a detector found: where, since when, how much, and in words.

    A signal with a `key` is the same thing as another with that key (a sensor, a unit); one
    without is known by its place. Without cells and communes it is about the whole province.
    """

    tier: Tier
    observed: float
    since: datetime
    until: datetime  # of the records beneath; with a time zone
    headline_vi: str
    headline_en: str
    detail_vi: str = ""
    detail_en: str = ""
    cells: tuple[int, ...] = ()  # H3, of one resolution
    communes: tuple[str, ...] = ()  # codes of today
    centre: tuple[float, float] | None = None  # longitude, latitude, WGS 84
    radius_m: float | None = None
    expected: float | None = None
    llr: float | None = None  # logarithm of the likelihood ratio, natural
    p: float | None = None
    recurrence_days: float | None = None
    records: tuple[int, ...] = ()  # ids of the layer's rows beneath
    measures: Mapping[str, float | str] = field(default_factory=dict)  # anything more
    key: str | None = None
    beyond: float | None = None  # of a threshold: how far past it, in the unit of `observed`
    simulated: bool | None = None  # simulated records are beneath; None: as the look says


@dataclass(frozen=True, slots=True)
class Evidence:
    """What became of a stream's records since the look before, by their ids.

    `gone`: no longer what they were: deleted, of another stream, place or day, or left out for a
    flaw. `added`: say something new; None: any may.
    """

    gone: frozenset[int]
    added: frozenset[int] | None = None

    def is_less(self, records: Iterable[int]) -> bool:
        """Whether it is only because others went that these records tell of anything."""
        return bool(self.gone) and self.added is not None and self.added.isdisjoint(records)


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one look found: every signal of the stream that holds at `until`.

    An alert of the stream that no signal is about has had a quiet look. `p` is that of the
    strongest cluster, also where it is no signal: calibration is judged by it. `evidence`: None
    where nothing is known of records that went, as in a replay of the past.
    """

    layer_id: str
    rule: str
    until: datetime
    official: bool  # false: approximate boundaries
    simulated: bool  # simulated records are among what was looked at
    signals: tuple[Signal, ...]
    policy: Policy
    stream: str = ""
    run_id: int | None = None  # of gis.hotspot_run
    p: float | None = None
    version: int | None = None  # of the layer's rows that were looked at
    evidence: Evidence | None = None
