"""Findings from clusters: each with a tier, words, an outline and a span of time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import h3

from gis.alerts.findings import Findings, Signal
from gis.alerts.outline import outline_of
from gis.alerts.policy import Policy, Tier
from gis.text import number_en, number_vi
from layers.definition.model import AlertOptions, Layer
from layers.detect.changes import InputChanges
from layers.detect.commune_series import SeriesResult, StreamSeries
from layers.detect.messages import cluster_headline, cluster_message
from layers.detect.observations import day_number, midnight
from layers.detect.scan import ScanCluster, StreamScan

RULE = "scan"  # under which the scan raises alerts


@dataclass(frozen=True, slots=True)
class RatedCluster:
    """A cluster with its tier, None when chance brings it too often, and its words."""

    cluster: ScanCluster
    tier: Tier | None
    words: tuple[str, str]


def policy_of(layer: Layer, seen: Sequence[str], alarms: Sequence[str]) -> Policy:
    """The policy of the layer's alerts; its budget is shared by its alarms on all its streams.

    `seen`: streams that have records; `alarms`: the layer's methods that raise alerts.
    """
    category = layer.hotspots.category if layer.hotspots else None
    values = (layer.fields[category].values or {}) if category else {}
    streams = max(len(set(values) | set(seen)), 1)
    return (layer.alerts or AlertOptions()).policy(streams * max(len(alarms), 1))


def _window(cluster: ScanCluster) -> dict[str, Any]:
    """For programs: the shape of the window, and of a stretch its road and kilometres."""
    stretch = cluster.stretch
    if stretch is None:
        return {"window": "hex" if cluster.is_single else "circle"}
    km = (round(stretch.from_m / 1000, 3), round(stretch.to_m / 1000, 3))
    known = {"from_km": km[0], "to_km": km[1]} if stretch.is_known else {}
    return {"window": "stretch", "road": stretch.road, **known}


@dataclass(frozen=True, slots=True)
class ScanFindings:
    """Findings and rows from the clusters of one run; `names` are those of communes, by code."""

    layer: Layer
    until: datetime
    policy: Policy
    names: Mapping[str, str]
    official: bool  # false: on approximate boundaries
    simulated: frozenset[int]  # ids of simulated records among what was read
    changes: InputChanges | None = None  # since the run before; None: of a replay
    voices: Mapping[int, int] = field(default_factory=dict)  # reporters by id, where named

    def rate(self, scan: StreamScan) -> list[RatedCluster]:
        """The clusters of a stream, each with its tier."""
        return [self._rate(cluster) for cluster in scan.clusters]

    def _rate(self, cluster: ScanCluster) -> RatedCluster:
        tier = self.policy.tier(cluster.recurrence_days, cluster.observed, cluster.expected)
        return RatedCluster(cluster, tier, cluster_message(cluster, self.names))

    def since(self, result: ScanCluster | SeriesResult) -> datetime:
        """The midnight in Vietnam at which the days of a result begin."""
        return midnight(day_number(self.until) - result.days + 1)

    def rests_on_simulated(self, records: Collection[int]) -> bool:
        """True if most of these records are simulated: a few make nothing real an exercise."""
        return 2 * len(self.simulated.intersection(records)) > len(records)

    def share_simulated(self, records: Collection[int]) -> tuple[str, str]:
        """How many of these records are simulated, vi and en, after a space; empty where all or
        none are.
        """
        count = len(self.simulated.intersection(records))
        if count in (0, len(records)):
            return "", ""
        return (
            f" Trong đó {number_vi(count)} bản ghi là mô phỏng.",
            f" Of these records {number_en(count)} are simulated.",
        )

    def corroboration(self, records: Sequence[int]) -> tuple[str, str]:
        """How many people reported, vi and en, after a space; empty where none is named."""
        named = [self.voices[one] for one in records if one in self.voices]
        if not named:
            return "", ""
        people, unnamed = len(set(named)), len(records) - len(named)
        if unnamed > len(named):
            return (
                f" {number_vi(len(records))} bản ghi, {number_vi(unnamed)} trong đó không rõ người "
                "báo.",
                f" {number_en(len(records))} records, {number_en(unnamed)} of which name nobody.",
            )
        vi = f" {number_vi(len(records))} bản ghi của {number_vi(people)} người"
        en = f" {number_en(len(records))} records of {number_en(people)} people"
        if unnamed:
            vi += f", trong đó {number_vi(unnamed)} bản ghi không rõ người báo"
            en += f", of which {number_en(unnamed)} name nobody"
        return f"{vi}.", f"{en}."

    def row(self, rated: RatedCluster) -> dict[str, Any]:
        """The cluster as it is stored."""
        cluster = rated.cluster
        return {
            "stream": cluster.stream,
            "rank": cluster.rank,
            "tier": rated.tier,
            "wkt": outline_of(cluster.cells),
            "centre": cluster.centre,
            "radius_m": cluster.radius_m,
            "days": cluster.days,
            "since": self.since(cluster),
            "until": self.until,
            "observed": cluster.observed,
            "expected": cluster.expected,
            "llr": cluster.llr,
            "p": cluster.p,
            "recurrence_days": cluster.recurrence_days,
            "cells": cluster.cells,
            "communes": cluster.communes,
            "records": cluster.records,
            "explanation_vi": rated.words[0],
            "explanation_en": rated.words[1],
        }

    def signals(self, scan: StreamScan) -> list[Signal]:
        """The clusters that have a tier."""
        return [
            self.cluster_signal(rated, rated.tier)
            for rated in self.rate(scan)
            if rated.tier is not None
        ]

    def cluster_signal(self, rated: RatedCluster, tier: Tier) -> Signal:
        """A cluster of a tier, as the alerts take it."""
        cluster = rated.cluster
        headline = cluster_headline(self.layer, cluster)
        told = self.corroboration(cluster.records)
        marked = self.share_simulated(cluster.records)
        lat, lon = h3.cell_to_latlng(h3.int_to_str(cluster.centre))
        return Signal(
            tier=tier,
            observed=float(cluster.observed),
            since=self.since(cluster),
            until=self.until,
            headline_vi=headline[0],
            headline_en=headline[1],
            detail_vi=rated.words[0] + told[0] + marked[0],
            detail_en=rated.words[1] + told[1] + marked[1],
            cells=cluster.cells,
            communes=cluster.communes,
            centre=(lon, lat),
            radius_m=cluster.radius_m,
            expected=cluster.expected,
            llr=cluster.llr,
            p=cluster.p,
            recurrence_days=cluster.recurrence_days,
            records=cluster.records,
            measures={"days": float(cluster.days), "method": "stp_scan", **_window(cluster)},
            simulated=self.rests_on_simulated(cluster.records),
        )

    def findings(self, scan: StreamScan, run_id: int | None = None) -> Findings:
        """The findings of one stream, as the alerts take them."""
        return self.stream_findings(RULE, scan, self.signals(scan), run_id)

    def stream_findings(
        self,
        rule: str,
        scan: StreamScan | StreamSeries,
        signals: Sequence[Signal],
        run_id: int | None,
    ) -> Findings:
        """Findings of one stream from signals that were made of it."""
        return Findings(
            layer_id=self.layer.id,
            rule=rule,
            until=self.until,
            official=self.official,
            simulated=bool(self.simulated),
            signals=tuple(signals),
            policy=self.policy,
            stream=scan.stream,
            run_id=run_id,
            p=scan.p,
            evidence=None if self.changes is None else self.changes.of(scan.stream),
        )
