"""The situation of a layer: the last hours hold many times the usual, in many places, a little all
over the province, or in many subjects of one place at once. Pure: records in, a situation or none
out.

What is usual is the same hours of the days before, of the same weekday where that is more. A week
lies between, so that an event of days does not make itself usual.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis.alerts.policy import EVALUATIONS_A_DAY
from layers.detect.observations import Observations, evidence_rows
from layers.detect.scan import LONGEST_DAYS

Floats = npt.NDArray[np.float64]

HOURS: Final = (3, 24)  # of the windows that are judged
DAYS_READ: Final = 29  # the day under way, and those from which the usual is known
LEAST: Final = 20  # voices; fewer are no matter for the whole province
PLACES: Final = 3  # communes, or subjects of one commune, that must stand out
_LEAST_EACH = 3  # voices of each of them; as a cluster needs
_MANY = 2 * PLACES  # communes of what is a little everywhere
_LEAST_SPREAD = 2  # voices of each of these
_RARE_EACH = 1e-4
_RARE = 1e-6
_GAP_DAYS = 7
_LEAST_DAYS = 7  # from fewer the usual is not known
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Share:
    """Voices of one commune or stream, and how many are usual in the same hours."""

    name: str
    observed: int
    expected: float

    @property
    def excess(self) -> float:
        return self.observed - self.expected


@dataclass(frozen=True, slots=True)
class Situation:
    """What stands out in the last `hours`. Communes and streams are ranked by their excess.

    `observed` and `expected` count voices of these streams in these communes: records that the
    quality filter counts once. `timeline` counts them by hour, the oldest first; `records` are the
    ids of all evidence, repeats included.
    """

    hours: int
    observed: int
    expected: float
    p: float
    communes: tuple[Share, ...]
    streams: tuple[Share, ...]
    timeline: tuple[int, ...]
    records: tuple[int, ...]
    simulated: int  # how many of the records are

    @property
    def recurrence_days(self) -> float:
        """Days in which chance brings the like once, by its count alone; at most a century."""
        windows = EVALUATIONS_A_DAY * 24 / self.hours
        return min(1 / (windows * max(self.p, 1e-300)), LONGEST_DAYS)

    @property
    def llr(self) -> float:
        """Log likelihood ratio of the counts (Poisson): how much news further reports are."""
        usual = max(self.expected, 0.01)
        return self.observed * float(np.log(self.observed / usual)) + usual - self.observed


def find_situation(records: Observations, until: datetime, times: float) -> Situation | None:
    """The situation as of `until`, of all windows the one with the largest excess; None: there is
    none, or it is not known yet what is usual.

    `times`: how many times the usual each place, and all together, must be.
    """
    rows = records.rows
    placed = rows[rows["commune"].notna() & rows["received_at"].le(until)]
    counted = placed[placed["in_commune"].astype(bool)]
    if (counted["received_at"] > until - pd.Timedelta(hours=max(HOURS))).sum() < LEAST:
        return None
    days = _usual_days(counted["received_at"], until)
    if len(days) == 0:
        return None
    found = (_in_window(records, placed, counted, until, hours, days, times) for hours in HOURS)
    standing = [one for one in found if one is not None]
    return max(standing, key=lambda one: one.observed - one.expected, default=None)


def _usual_days(received: pd.Series, until: datetime) -> list[int]:
    """How many days ago those are from which the usual is known; none: too few."""
    known = (pd.Timestamp(until) - received.min()).days
    first = _GAP_DAYS + 1 if known >= _GAP_DAYS + _LEAST_DAYS else 1
    days = list(range(first, min(known, DAYS_READ - 1) + 1))
    return days if len(days) >= _LEAST_DAYS else []


def _in_window(
    records: Observations,
    placed: pd.DataFrame,
    counted: pd.DataFrame,
    until: datetime,
    hours: int,
    days: list[int],
    times: float,
) -> Situation | None:
    slots = _Slots(counted, until, hours, days)
    affected = sorted({*_many_communes(slots, times), *_all_over(slots, times)})
    affected = affected or _many_subjects(slots, times)
    if not affected:
        return None
    streams = [one for one in slots.shares("category", affected) if _stands_out(one, times)]
    if not streams:
        return None
    names = [one.name for one in streams]
    communes = slots.shares("commune", affected, names)
    observed, expected = sum(one.observed for one in communes), slots.usual(affected, names)
    p = _tail(observed, expected, slots.dispersion(affected, names))
    if observed < LEAST or observed < times * expected or p > _RARE:
        return None
    since = until - pd.Timedelta(hours=hours)
    evidence = evidence_rows(placed[placed["received_at"] > since])
    evidence = evidence[evidence["commune"].isin(affected) & evidence["category"].isin(names)]
    ids = tuple(sorted(int(one) for one in evidence["id"]))
    return Situation(
        hours=hours,
        observed=observed,
        expected=expected,
        p=p,
        communes=tuple(_ranked(communes)),
        streams=tuple(_ranked(streams)),
        timeline=slots.timeline(affected, names),
        records=ids,
        simulated=len(records.simulated.intersection(ids)),
    )


def _many_communes(slots: "_Slots", times: float) -> list[str]:
    """The communes that stand out, if they are many."""
    communes = [one.name for one in slots.shares("commune") if _stands_out(one, times)]
    return communes if len(communes) >= PLACES else []


def _all_over(slots: "_Slots", times: float) -> list[str]:
    """The communes of a subject that stands out in the whole province, a little in each of many.

    None where most of it is in one commune: that is a cluster.
    """
    found: set[str] = set()
    for stream in slots.shares("category"):
        if stream.observed < LEAST or stream.observed < times * stream.expected:
            continue
        dispersion = slots.dispersion(None, [stream.name])
        if _tail(stream.observed, stream.expected, dispersion) > _RARE:
            continue
        more = [
            one
            for one in slots.shares("commune", None, [stream.name])
            if one.observed >= max(_LEAST_SPREAD, times * one.expected)
        ]
        together = sum(one.observed for one in more)
        if len(more) >= _MANY and 2 * max(one.observed for one in more) <= together:
            found.update(one.name for one in more)
    return sorted(found)


def _many_subjects(slots: "_Slots", times: float) -> list[str]:
    """The communes in each of which many subjects stand out at once."""
    found = []
    for commune in slots.busy():
        subjects = slots.shares("category", [commune])
        if sum(_stands_out(one, times) for one in subjects) >= PLACES:
            found.append(commune)
    return found


def _stands_out(one: Share, times: float) -> bool:
    if one.observed < max(_LEAST_EACH, times * one.expected):
        return False
    return _tail(one.observed, one.expected, 1.0) <= _RARE_EACH


def _ranked(shares: list[Share]) -> list[Share]:
    return sorted(shares, key=lambda one: (-one.excess, one.name))


def _tail(observed: int, expected: float, dispersion: float) -> float:
    """P(X ≥ observed) of a count with this mean, and a variance of `dispersion` times it."""
    from scipy import stats

    if dispersion <= 1.0:
        return float(stats.poisson.sf(observed - 1, expected))
    size = expected / (dispersion - 1)
    return float(stats.nbinom.sf(observed - 1, size, 1 / dispersion))


class _Slots:
    """Counts of the last hours, and of the same hours of earlier days."""

    def __init__(self, counted: pd.DataFrame, until: datetime, hours: int, days: list[int]) -> None:
        age = (pd.Timestamp(until) - counted["received_at"]).dt.total_seconds().to_numpy() / 3600
        ago, within = np.divmod(age, 24)
        read = (within < hours) & ((ago == 0) | np.isin(ago, days))
        commune, communes = pd.factorize(counted["commune"].astype(str).to_numpy()[read])
        stream, streams = pd.factorize(counted["category"].astype(str).to_numpy()[read])
        self._names = {"commune": communes.tolist(), "category": streams.tolist()}
        self._now = ago[read] == 0
        self._commune, self._stream = commune, stream
        self._hour = within[read].astype(np.int64)
        shape = (len(communes), len(streams), DAYS_READ)
        counts = np.zeros(shape)
        np.add.at(counts, (commune, stream, ago[read].astype(np.int64)), 1)
        self._counts = counts
        self._hours, self._days = hours, np.array(days)
        self._same_weekday = self._days[self._days % _WEEK == 0]

    def busy(self) -> list[str]:
        """The communes with enough for many subjects to stand out."""
        now = self._counts[:, :, 0].sum(axis=1)
        names = self._names["commune"]
        return sorted(names[n] for n in np.flatnonzero(now >= PLACES * _LEAST_EACH))

    def shares(
        self, by: str, communes: list[str] | None = None, streams: list[str] | None = None
    ) -> list[Share]:
        """Counts by commune or category, of those that have any now."""
        chosen, of = self._chosen(communes, streams)
        daily = self._counts[np.ix_(chosen, of)].sum(axis=1 if by == "commune" else 0)
        names = self._names[by]
        numbers = chosen if by == "commune" else of
        usual = self._usual(daily)
        return sorted(
            (
                Share(names[number], int(daily[n, 0]), float(usual[n]))
                for n, number in enumerate(numbers)
                if daily[n, 0] > 0
            ),
            key=lambda one: one.name,
        )

    def usual(self, communes: list[str], streams: list[str]) -> float:
        return float(self._usual(self._total(communes, streams)))

    def dispersion(self, communes: list[str] | None, streams: list[str]) -> float:
        """Variance to mean of the earlier days, at least that of Poisson."""
        daily = self._total(communes, streams)[self._days]
        return max(1.0, float(daily.var(ddof=1) / max(daily.mean(), 0.5)))

    def timeline(self, communes: list[str], streams: list[str]) -> tuple[int, ...]:
        chosen, of = self._chosen(communes, streams)
        now = self._now & np.isin(self._commune, chosen) & np.isin(self._stream, of)
        counts = np.bincount(self._hour[now], minlength=self._hours)[::-1]
        return tuple(int(count) for count in counts)

    def _chosen(
        self, communes: list[str] | None, streams: list[str] | None
    ) -> tuple[list[int], list[int]]:
        """Numbers of communes and streams by their names; None: all."""
        every = ((self._names["commune"], communes), (self._names["category"], streams))
        chosen, of = (
            [n for n, name in enumerate(names) if wanted is None or name in wanted]
            for names, wanted in every
        )
        return chosen, of

    def _total(self, communes: list[str] | None, streams: list[str]) -> Floats:
        total: Floats = self._counts[np.ix_(*self._chosen(communes, streams))].sum(axis=(0, 1))
        return total

    def _usual(self, daily: Floats) -> Floats:
        """Half a record more than seen: none seen is not none ever. Days are the last axis."""
        usual: Floats = (daily[..., self._days].sum(axis=-1) + 0.5) / len(self._days)
        if len(self._same_weekday) < 2:
            return usual
        return np.maximum(usual, daily[..., self._same_weekday].mean(axis=-1))
