"""The alarm: a space-time permutation scan a stream, whose clusters raise alerts."""

from typing import Any

import numpy as np
from sqlalchemy import Connection

from layers.definition.model import Layer, LocalizedText, ScanOptions
from layers.detect.alarm import AlarmMethod
from layers.detect.findings_scan import RULE
from layers.detect.method import Rows, RunContext, RunReport, by_name
from layers.detect.null_distribution import stored_null
from layers.detect.observations import day_number
from layers.detect.roads import beside_roads
from layers.detect.scan import (
    Stream,
    StreamScan,
    alarm_input,
    by_all,
    draw_null,
    scan_stream,
    streams_of,
)
from layers.detect.snapshot import unpack
from layers.detect.store import SQL, StoredRun, add_rows, add_run, store_input


class StpScan(AlarmMethod[ScanOptions]):
    """Clusters of records in space and time that chance hardly explains."""

    name = "stp_scan"
    label = LocalizedText(vi="quét cụm", en="scan")
    options = ScanOptions
    section = "scan"
    results = "scan_cluster"
    result_layer = "clusters"
    rule = RULE
    compared = (
        "stream", "rank", "centre", "radius_m", "days", "observed", "expected", "llr", "p",
        "cells", "communes", "records",
    )  # fmt: skip

    def run(self, context: RunContext, options: ScanOptions) -> RunReport:
        records = context.whole_days(options.window_days)
        records = beside_roads(context.connection, records, options.roads)
        frame = alarm_input(records)
        run = context.new_run(self.name, records, frame)
        digest = store_input(context.connection, frame)
        streams = streams_of(frame, options, day_number(context.until))
        scanned = [_scan(context, stream, options, digest) for stream in streams]
        changes = self.changes(context, frame, options.window_days)
        run_id = add_run(context.connection, run, digest)
        names = [scan.stream for scan, _ in scanned]
        findings = self.scan_findings(context, records, names, changes)
        rated = [cluster for scan, _ in scanned for cluster in findings.rate(scan)]
        add_rows(context.connection, self.results, run_id, [findings.row(one) for one in rated])
        add_rows(context.connection, "scan_stream", run_id, [_row(*each) for each in scanned])
        judged = [scan for scan, null_id in scanned if null_id is not None]
        judged += [StreamScan(name, 0, False, ()) for name in changes.ended]
        # The situation first: what is found beside it lies within it at once.
        situation = self.situation_findings(context, findings, records, run_id)
        late = self.late_findings(context, findings, records, run_id)
        scans = [findings.findings(scan, run_id) for scan in judged]
        alerts = self.apply(context, [*situation, *scans, *late])
        found = sum(cluster.tier is not None for cluster in rated)
        return context.report(run, run_id, records, found, alerts)

    def repeat(
        self, connection: Connection, run: StoredRun, options: ScanOptions
    ) -> tuple[Rows, list[str]]:
        """The clusters by null distributions that are drawn anew, from what they were drawn from;
        a null distribution that differs is a doubt.
        """
        stored = {
            row.stream: row for row in connection.execute(SQL["nulls_of_run"], {"run": run.id})
        }
        rows, doubts = [], []
        for stream in streams_of(run.input, options, day_number(run.until)):
            null = stored.get(stream.name)
            if null is None:
                continue  # its null distribution was yet to be drawn: the run did not judge it
            origin = streams_of(unpack(null.content), options, null.last_day)
            maxima = draw_null(next(one for one in origin if one.name == stream.name), options)
            if not np.array_equal(maxima, null.maxima):
                doubts.append(f"the null of stream {stream.name!r} differs")
            clusters = scan_stream(stream, options, by_all(maxima)).clusters
            rows += by_name(clusters, self.compared)
        return rows, doubts

    def is_incomplete(self, connection: Connection, layer: Layer) -> bool:
        """True if the newest scan left streams out, whose null distributions are being drawn."""
        return bool(connection.scalar(SQL["left_out"], {"layer": layer.id}))


def _scan(
    context: RunContext, stream: Stream, options: ScanOptions, digest: str
) -> tuple[StreamScan, int | None]:
    """The scan and the number of its null distribution; without one, the stream is not judged."""
    null = stored_null(
        context.connection, context.layer.id, stream, options, digest, prompt=context.prompt
    )
    if null is None:
        return StreamScan(stream.name, len(stream.place), stream.strata is not None, ()), None
    return context.scans.scan(context.layer.id, stream, options, null.maxima), null.id


def _row(scan: StreamScan, null_id: int | None) -> dict[str, Any]:
    """The stream as it is stored."""
    return {
        "stream": scan.stream,
        "cases": scan.cases,
        "stratified": scan.stratified,
        "llr": scan.llr,
        "p": scan.p,
        "null_id": null_id,
    }
