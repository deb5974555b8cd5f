"""Clusters as people and alerts are told of them: with a tier, words, an outline and a span."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import h3

from gis.alerts.findings import Findings, Signal
from gis.alerts.outline import outline_of
from gis.alerts.policy import Policy, Tier
from layers.definition.model import AlertOptions, Layer
from layers.detect.changes import InputChanges
from layers.detect.messages import cluster_headline, cluster_message
from layers.detect.methods.series import SeriesResult, StreamSeries
from layers.detect.methods.stp_scan import ScanCluster, StreamScan
from layers.detect.observations import day_number, midnight

RULE = "scan"  # under which the scan raises alerts


@dataclass(frozen=True, slots=True)
class RatedCluster:
    """A cluster with its tier, None when chance brings it too often, and its words."""

    cluster: ScanCluster
    tier: Tier | None
    words: tuple[str, str]


def policy_of(layer: Layer, seen: Sequence[str]) -> Policy:
    """How the layer's alerts behave; its budget is shared by its alarms on all its streams."""
    category = layer.hotspots.category if layer.hotspots else None
    values = (layer.fields[category].values or {}) if category else {}
    streams = max(len(set(values) | set(seen)), 1)
    alarms = max(len(layer.hotspots.alarms), 1) if layer.hotspots else 1
    return (layer.alerts or AlertOptions()).policy(streams * alarms)


@dataclass(frozen=True, slots=True)
class ScanFindings:
    """How one run speaks of its clusters; `names` are those of communes, by code."""

    layer: Layer
    until: datetime
    policy: Policy
    names: Mapping[str, str]
    official: bool  # false: on approximate boundaries
    simulated: frozenset[int]  # ids of simulated records among what was read
    changes: InputChanges | None = None  # since the look before; None: of a replay

    def told(self, scan: StreamScan) -> list[RatedCluster]:
        return [self._told(one) for one in scan.clusters]

    def _told(self, one: ScanCluster) -> RatedCluster:
        tier = self.policy.tier(one.recurrence_days, one.observed, one.expected)
        return RatedCluster(one, tier, cluster_message(one, self.names))

    def since(self, one: ScanCluster | SeriesResult) -> datetime:
        return midnight(day_number(self.until) - one.days + 1)

    def rests_on_simulated(self, records: Iterable[int]) -> bool:
        """Whether any of these records is simulated; others may still be the measure of it."""
        return not self.simulated.isdisjoint(records)

    def row(self, told: RatedCluster) -> dict[str, Any]:
        """The cluster as it is stored."""
        one = told.cluster
        return {
            "stream": one.stream,
            "rank": one.rank,
            "tier": told.tier,
            "wkt": outline_of(one.cells),
            "centre": one.centre,
            "radius_m": one.radius_m,
            "days": one.days,
            "since": self.since(one),
            "until": self.until,
            "observed": one.observed,
            "expected": one.expected,
            "llr": one.llr,
            "p": one.p,
            "recurrence_days": one.recurrence_days,
            "cells": one.cells,
            "communes": one.communes,
            "records": one.records,
            "explanation_vi": told.words[0],
            "explanation_en": told.words[1],
        }

    def signals(self, scan: StreamScan) -> list[Signal]:
        """The clusters that have a tier."""
        return [self._signal(one, one.tier) for one in self.told(scan) if one.tier is not None]

    def _signal(self, told: RatedCluster, tier: Tier) -> Signal:
        one = told.cluster
        headline = cluster_headline(self.layer, one)
        lat, lon = h3.cell_to_latlng(h3.int_to_str(one.centre))
        return Signal(
            tier=tier,
            observed=float(one.observed),
            since=self.since(one),
            until=self.until,
            headline_vi=headline[0],
            headline_en=headline[1],
            detail_vi=told.words[0],
            detail_en=told.words[1],
            cells=one.cells,
            communes=one.communes,
            centre=(lon, lat),
            radius_m=one.radius_m,
            expected=one.expected,
            llr=one.llr,
            p=one.p,
            recurrence_days=one.recurrence_days,
            records=one.records,
            measures={"days": float(one.days), "method": "stp_scan"},
            simulated=self.rests_on_simulated(one.records),
        )

    def findings(self, scan: StreamScan, run_id: int | None = None) -> Findings:
        """One look at one stream, as the alerts take it."""
        return self.look(RULE, scan, self.signals(scan), run_id)

    def look(
        self,
        rule: str,
        scan: StreamScan | StreamSeries,
        signals: Sequence[Signal],
        run_id: int | None,
    ) -> Findings:
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
