"""Findings of a detector: the signals of one evaluation of one stream of one layer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gis.alerts.policy import Policy, Tier


@dataclass(frozen=True, slots=True)
class Signal:
    """One finding of a detector: place, time, number, statistics and texts.

    A signal with a `key` is the same thing as another with that key (a sensor, a unit); one
    without is known by its place. Without cells and communes it is about the whole province.
    """

    tier: Tier
    observed: float
    since: datetime
    until: datetime  # of the evidence; with a time zone
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
    records: tuple[int, ...] = ()  # ids of the layer's rows that are its evidence
    measures: Mapping[str, Any] = field(default_factory=dict)  # anything more, as JSON
    key: str | None = None
    beyond: float | None = None  # of a threshold: how far past it, in the unit of `observed`
    simulated: bool | None = None  # some evidence is simulated; None: as the findings say


@dataclass(frozen=True, slots=True)
class Evidence:
    """Changes of a stream's records since the evaluation before, by their ids.

    `gone`: deleted, now of another stream, place or day, or removed by the quality filter.
    `added`: new or with new content; None: any may be.
    """

    gone: frozenset[int]
    added: frozenset[int] | None = None

    def is_less(self, records: Iterable[int]) -> bool:
        """True if these records are a signal only because others are gone: none of them is new."""
        return bool(self.gone) and self.added is not None and self.added.isdisjoint(records)


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of one evaluation: every signal of the stream that holds at `until`.

    An alert of the stream without a signal had a quiet evaluation. `p` is that of the strongest
    cluster, also where it is no signal: calibration is judged by it. `evidence`: None where
    deletions are unknown, as in a replay of the past.
    """

    layer_id: str
    rule: str
    until: datetime
    official: bool  # false: approximate boundaries
    simulated: bool  # simulated records were evaluated
    signals: tuple[Signal, ...]
    policy: Policy
    stream: str = ""
    run_id: int | None = None  # of gis.hotspot_run
    p: float | None = None
    version: int | None = None  # of the layer's rows that were evaluated
    evidence: Evidence | None = None
