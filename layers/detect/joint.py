"""The joint scan: the streams of several layers together, each with its own days.

A space-time permutation scan of the sum. The days of each stream are permuted within the stream, so
its own rate and its own course over the window are those of the null, and what adds up in one
valley is compared with what adds up there by chance. A cluster is told where several streams have
more than usual: that makes it rarer than its p, never more common.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from layers.definition.model import JointOptions, ScanOptions
from layers.detect.scan import NullOf, ScanCluster, Stream, scan_stream, streams_of

_LEAST_EACH = 2  # cases of a stream that contributes: one is anywhere


@dataclass(frozen=True, slots=True)
class JointShare:
    """Cases of one stream in a cluster, and how many its own place and days explain."""

    name: str
    observed: int
    expected: float


@dataclass(frozen=True, slots=True)
class JointCluster:
    """A cluster of several streams, those with the largest excess first."""

    cluster: ScanCluster
    shares: tuple[JointShare, ...]


def scan_options(options: JointOptions) -> ScanOptions:
    return ScanOptions(
        resolution=options.resolution,
        window_days=options.window_days,
        max_days=options.max_days,
        max_radius_km=options.max_radius_km,
        min_cases=options.min_cases,
        strata="none",
        single_resolution=None,
        roads=None,
        replicates=options.replicates,
        seed=options.seed,
    )


def joint_stream(frame: pd.DataFrame, options: JointOptions, last_day: int) -> Stream | None:
    """All streams of an input (see `alarm_input`) as one, whose strata they are; None: none."""
    together = frame.assign(part=frame["stream"], stream="")
    stream = next(streams_of(together, scan_options(options), last_day), None)
    if stream is None:
        return None
    cases = stream.evidence[stream.evidence["in_alarm"]]
    return replace(stream, strata=pd.factorize(cases["part"], sort=True)[0].astype(np.int64))


def joint_clusters(stream: Stream, options: JointOptions, null: NullOf) -> list[JointCluster]:
    """The clusters in which at least `least_streams` have more than usual."""
    found = []
    for cluster in scan_stream(stream, scan_options(options), null).clusters:
        shares = _shares(stream, cluster)
        if len(shares) >= options.least_streams:
            found.append(JointCluster(cluster, tuple(shares)))
    return found


def _shares(stream: Stream, cluster: ScanCluster) -> list[JointShare]:
    cases = stream.evidence[stream.evidence["in_alarm"]]
    inside = cases["place"].isin(np.array(cluster.cells, np.uint64))
    recent = cases["day"] > stream.last_day - cluster.days
    shares = [
        JointShare(
            str(name),
            int((inside & recent)[rows.index].sum()),
            float(inside[rows.index].sum() * recent[rows.index].sum() / len(rows)),
        )
        for name, rows in cases.groupby("part")
    ]
    more = (one for one in shares if one.observed >= max(_LEAST_EACH, one.expected))
    return sorted(more, key=lambda one: (one.expected - one.observed, one.name))
