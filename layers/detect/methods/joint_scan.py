"""The alarm of all streams together: landslides, roads and power in one valley are one event."""

from dataclasses import replace

import pandas as pd
from sqlalchemy import Connection, text

from gis.alerts.findings import Evidence
from gis.alerts.gathering import JOINT
from gis.errors import BadInput
from layers.definition.model import HotspotOptions, JointOptions, Layer, LocalizedText
from layers.detect.alarm import AlarmMethod
from layers.detect.changes import InputChanges
from layers.detect.findings_joint import JointFindings
from layers.detect.joint import JointCluster, joint_clusters, joint_stream, scan_options
from layers.detect.method import Rows, RunContext, RunReport, by_name
from layers.detect.null_distribution import stored_null
from layers.detect.observations import day_number, midnight, read_records
from layers.detect.scan import StreamScan, alarm_input, by_all, draw_null
from layers.detect.store import StoredRun, add_rows, add_run, store_input

_OF_OTHERS = 10**12  # ids of other layers, below zero and apart


class JointScan(AlarmMethod[JointOptions]):
    """Clusters of several streams that chance hardly explains, though it may explain each."""

    name = "joint_scan"
    label = LocalizedText(vi="quét nhiều lĩnh vực", en="joint scan")
    options = JointOptions
    section = "joint"
    results = "scan_cluster"
    result_layer = "clusters"
    rule = JOINT
    compared = (
        "stream", "rank", "centre", "radius_m", "days", "observed", "expected", "llr", "p",
        "cells", "communes",
    )  # fmt: skip

    def reads(self, options: JointOptions) -> tuple[str, ...]:
        return options.layers

    def run(self, context: RunContext, options: JointOptions) -> RunReport:
        others = {one: _public_layer(context.connection, one) for one in options.layers}
        own = context.whole_days(options.window_days)
        first = midnight(day_number(context.until) - options.window_days + 1)
        records, frames = own, [alarm_input(own)]
        for number, layer in enumerate(others.values(), 1):
            read = read_records(
                context.connection, layer, layer.hotspots or HotspotOptions(), first, context.until
            )
            frames.append(_as_other(number, layer, alarm_input(read)))
            simulated = {-(number * _OF_OTHERS + one) for one in read.simulated}
            records = replace(records, simulated=records.simulated | simulated)
        frame = pd.concat(frames, ignore_index=True)
        changes = self.changes(context, frame, options.window_days)
        run = context.new_run(self.name, records, frame)
        digest = store_input(context.connection, frame)
        clusters = _found(context, options, frame, digest)
        run_id = add_run(context.connection, run, digest)
        scan_findings = self.scan_findings(context, records, [""], changes)
        findings = JointFindings(scan_findings, others)
        rated = scan_findings.rate(StreamScan("", 0, True, tuple(one.cluster for one in clusters)))
        rows = [scan_findings.row(one) for one in rated]
        add_rows(context.connection, self.results, run_id, rows)
        evidence = _together(changes, frame)
        alerts = self.apply(context, [findings.findings(clusters, run_id, evidence)])
        found = sum(one.tier is not None for one in rated)
        return context.report(run, run_id, own, found, alerts)

    def repeat(
        self, connection: Connection, run: StoredRun, options: JointOptions
    ) -> tuple[Rows, list[str]]:
        stream = joint_stream(run.input, options, day_number(run.until))
        if stream is None:
            return [], []
        null = by_all(draw_null(stream, scan_options(options)))
        clusters = joint_clusters(stream, options, null)
        return by_name([one.cluster for one in clusters], self.compared), []


def _found(
    context: RunContext, options: JointOptions, frame: pd.DataFrame, digest: str
) -> list[JointCluster]:
    """The clusters of an input, by a null that is drawn now where none is stored."""
    stream = joint_stream(frame, options, day_number(context.until))
    if stream is None:
        return []
    null = stored_null(context.connection, context.layer.id, stream, scan_options(options), digest)
    assert null is not None, "it is drawn, not left to a later run"
    return joint_clusters(stream, options, by_all(null.maxima))


def _as_other(number: int, layer: Layer, frame: pd.DataFrame) -> pd.DataFrame:
    """Cases of another layer: their streams called `layer:stream`, their ids below zero."""
    ids = -(number * _OF_OTHERS + frame["id"])
    return frame.assign(id=ids, stream=f"{layer.id}:" + frame["stream"])


def _together(changes: InputChanges, frame: pd.DataFrame) -> Evidence | None:
    """Changes of all streams as one; a record that changed its stream is still there."""
    each = list(changes.evidence.values())
    if not each:
        return None
    gone = frozenset[int]().union(*(one.gone for one in each)) - frozenset(frame["id"].tolist())
    added = [one.added for one in each]
    known = [one for one in added if one is not None]
    return Evidence(gone, frozenset[int]().union(*known) if len(known) == len(added) else None)


def _public_layer(connection: Connection, layer_id: str) -> Layer:
    row = connection.execute(_DEFINITION, {"layer": layer_id}).one_or_none()
    if row is None:
        raise BadInput(
            f"the layer {layer_id}, which is judged with others (`joint`), is not there or not "
            "public any more"
        )
    return Layer.model_validate(row.definition)


_DEFINITION = text("""
SELECT definition FROM gis.layer WHERE id = :layer AND published AND gis.is_public(id)
""")
