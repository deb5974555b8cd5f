"""Alarms as they would have been: after each report, knowing what was received up to then."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise, tee
from types import MappingProxyType

import pandas as pd
from sqlalchemy import Connection

from gis.alerts.findings import Findings
from gis.errors import BadInput
from gis.placing.reference import stored_territory
from layers.definition.model import HotspotOptions, Layer, ScanOptions
from layers.detect.commune_series import StreamSeries, days_read, series_input, series_of
from layers.detect.findings_late import held_findings, held_rows
from layers.detect.findings_scan import ScanFindings, policy_of
from layers.detect.findings_series import SeriesFindings
from layers.detect.findings_situation import situation_findings
from layers.detect.injection import Injection
from layers.detect.methods import alarms_of
from layers.detect.null_distribution import scan_day
from layers.detect.observations import (
    Observations,
    commune_names,
    day_number,
    midnight,
    minute_of_day,
    read_records,
)
from layers.detect.roads import beside_roads
from layers.detect.scan import Stream, StreamScan, alarm_input, streams_of
from layers.detect.situation import Situation, find_situation
from layers.detect.surroundings import PlaceFacts

TOGETHER = "10min"  # reports of so long are one evaluation, which bounds those of a day


@dataclass(frozen=True, slots=True)
class PastEvaluation:
    """Results of the alarms as of `until`, in the streams that had a report or a new day.

    `simulated`: the ids of simulated records among what was read. `held`: what was held back.
    `situation`: None where there was none, or the layer asks for none.
    """

    until: datetime
    scans: tuple[StreamScan, ...]
    series: tuple[StreamSeries, ...] = ()
    simulated: frozenset[int] = frozenset()
    held: Observations | None = None
    situation: Situation | None = None


def replay(
    connection: Connection,
    layer: Layer,
    since: datetime,
    until: datetime,
    injection: Injection | None = None,
) -> Iterator[PastEvaluation]:
    """Evaluations from `since` to `until`, in order of time: after reports, and as a day begins.

    Reports of the same ten minutes are one evaluation, when the last of them has come. The rows
    are read and judged once: the quality filter goes by what came before alone, so each evaluation
    knows what the service knew. Nothing is stored. Raises BadInput for a layer without an alarm.
    `injection`: records that are added to those of the layer.
    """
    options = layer.hotspots
    if options is None or not alarms_of(layer):
        raise BadInput(f"layer {layer.id} has no alarm: `hotspots: scan` asks for one")
    begin = midnight(day_number(since) - _window(options) + 1)
    more = None if injection is None else injection.records(stored_territory(connection), until)
    records = read_records(connection, layer, options, begin, until, more)
    if options.scan is not None:
        records = beside_roads(connection, records, options.scan.roads)
    times = layer.alerts.situation if layer.alerts else None
    past = _ReplayedRecords(records, options, len(commune_names(connection)), times)
    moments = evaluation_times(records.rows["received_at"], since, until)
    for _, some in groupby(moments, key=day_number):
        yield from past.evaluations(list(some))


def evaluation_times(received: pd.Series, since: datetime, until: datetime) -> list[datetime]:
    """Instants at which the service would have run, reports of ten minutes taken together."""
    come = received[(received > since) & (received <= until)]
    last = come.groupby(come.dt.floor(TOGETHER)).max()
    days = [midnight(day) for day in range(day_number(since), day_number(until) + 1)]
    begun = [at for at in days if since <= at <= until]
    return sorted({*last.dt.to_pydatetime().tolist(), *begun})


def past_findings(
    layer: Layer, past: PastEvaluation, names: Mapping[str, str] = MappingProxyType({})
) -> list[Findings]:
    """Findings as of a past evaluation; communes by their `names`, else by their codes."""
    streams = {scan.stream for scan in past.scans} | {each.stream for each in past.series}
    policy = policy_of(layer, list(streams), alarms_of(layer))
    scan_findings = ScanFindings(
        layer, past.until, policy, names, official=True, simulated=past.simulated
    )
    findings = [scan_findings.findings(scan) for scan in past.scans]
    if layer.alerts is not None and layer.alerts.situation is not None:
        # What surrounds it is of today, and no part of the past.
        findings.insert(0, situation_findings(scan_findings, past.situation, PlaceFacts()))
    if past.held is not None:
        findings += [each for each, _ in held_findings(scan_findings, past.held)]
    if layer.hotspots is None or layer.hotspots.series is None:
        return findings
    series_findings = SeriesFindings(scan_findings, layer.hotspots.series)
    return [*findings, *(series_findings.findings(each) for each in past.series)]


def _window(options: HotspotOptions) -> int:
    """Days from which the alarms know what is usual."""
    scan = options.scan.window_days if options.scan else 0
    return max(scan, days_read(options.series) if options.series else 0)


@dataclass(frozen=True, slots=True)
class _EvaluationTime:
    """An instant of evaluation, and its streams; None: all, since a day begins."""

    until: datetime
    streams: Collection[str] | None


class _ReplayedRecords:
    """All records of a replay, in the order in which they came."""

    def __init__(
        self, records: Observations, options: HotspotOptions, communes: int, times: float | None
    ) -> None:
        self._records, self._options, self._communes = records, options, communes
        self._times = times  # the usual, of a situation
        self._all = records.rows.sort_values(["received_at", "id"], ignore_index=True)
        self._alarm = self._in_order(alarm_input(records))
        self._series = self._in_order(series_input(records))
        self._held = held_rows(records).sort_values(["received_at", "id"], ignore_index=True)

    def evaluations(self, times: Sequence[datetime]) -> Iterator[PastEvaluation]:
        """Evaluations of one day; the first of all streams, a later one of those with a report."""
        news = [self._news(*both) for both in pairwise(times)]
        moments = [_EvaluationTime(times[0], None), *map(_EvaluationTime, times[1:], news)]
        for one, scans in zip(moments, self._scans(moments), strict=True):
            series = self._series_at(one)
            held = replace(self._records, rows=_known(self._held, one.until))
            yield PastEvaluation(
                one.until,
                tuple(scans),
                series,
                self._records.simulated,
                held,
                self._situation_at(one.until),
            )

    def _situation_at(self, until: datetime) -> Situation | None:
        if self._times is None:
            return None
        known = _known(self._all, until)
        return find_situation(replace(self._records, rows=known), until, self._times)

    def _in_order(self, frame: pd.DataFrame) -> pd.DataFrame:
        received = self._records.rows.set_index("id")["received_at"]
        dated = frame.assign(received_at=received.loc[frame["id"]].array)
        return dated.sort_values(["received_at", "id"], ignore_index=True)

    def _news(self, since: datetime, until: datetime) -> set[str]:
        rows = self._records.rows
        come = rows[(rows["received_at"] > since) & (rows["received_at"] <= until)]
        return set(come["category"].astype(str))

    def _scans(self, moments: Sequence[_EvaluationTime]) -> list[list[StreamScan]]:
        """The scans of each moment."""
        by_moment: list[list[StreamScan]] = [[] for _ in moments]
        if self._options.scan is not None:
            numbered, again = tee(self._streams(moments, self._options.scan))
            scans = scan_day((stream for _, stream in again), self._options.scan)
            for (n, _), scan in zip(numbered, scans, strict=True):
                by_moment[n].append(scan)
        return by_moment

    def _streams(
        self, moments: Sequence[_EvaluationTime], options: ScanOptions
    ) -> Iterator[tuple[int, Stream]]:
        """The streams of each moment, with its number."""
        for n, one in enumerate(moments):
            known = _known(self._alarm, one.until)
            for stream in streams_of(known, options, day_number(one.until), one.streams):
                yield n, stream

    def _series_at(self, one: _EvaluationTime) -> tuple[StreamSeries, ...]:
        options = self._options.series
        if options is None:
            return ()
        known, day = _known(self._series, one.until), day_number(one.until)
        minute = minute_of_day(one.until)
        return tuple(series_of(known, options, day, self._communes, one.streams, minute))


def _known(frame: pd.DataFrame, until: datetime) -> pd.DataFrame:
    """Rows that had been received."""
    return frame[: frame["received_at"].searchsorted(pd.Timestamp(until), side="right")]
