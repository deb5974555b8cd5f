"""One run: a layer's rows → what a method finds → stored, and told to the alerts; at once or not.

Five methods: `stp_scan`, the alarm; `series`, the alarm by commune; `gi_star`, the map;
`local_moran`, the map of what is like or unlike its surroundings; `emerging`, the history by hex.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import h3
import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from gis.alerts.findings import Evidence, Findings
from gis.alerts.store import live_records
from gis.alerts.updates import AlertChanges, apply_findings
from gis.database.engine import Database
from gis.errors import BadInput
from gis.placing.reference import Territory, stored_territory
from layers.definition.model import POPULATION, HotspotOptions, Layer, ScanOptions
from layers.detect.changes import InputChanges, input_changes
from layers.detect.findings_late import held_findings
from layers.detect.findings_scan import RULE as SCAN
from layers.detect.findings_scan import ScanFindings, policy_of
from layers.detect.findings_series import RULE as SERIES
from layers.detect.findings_series import SeriesFindings
from layers.detect.methods.emerging import emerging_hexes, emerging_input
from layers.detect.methods.gi_star import MapOptions, hot_hexes, map_input
from layers.detect.methods.local_moran import outlying_hexes
from layers.detect.methods.series import StreamSeries, days_read, series_input, series_of
from layers.detect.methods.stp_scan import (
    Stream,
    StreamScan,
    alarm_input,
    streams_of,
)
from layers.detect.null_distribution import stored_null
from layers.detect.observations import (
    Observations,
    commune_names,
    day_number,
    for_communes,
    midnight,
    read_exposure,
    read_records,
)
from layers.detect.scan_cache import ScanCache
from layers.detect.store import NewRun, add_rows, add_run, store_input

_NO_CHANGES = AlertChanges()


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run read, left out, found and did."""

    run_id: int
    layer_id: str
    method: str
    until: datetime
    records: int  # received in the window
    left_out: dict[str, int]  # of them, by the reason of the gate
    found: int  # hexes or clusters
    alerts: AlertChanges = _NO_CHANGES


@dataclass(frozen=True, slots=True)
class _RunContext:
    """What every method needs: the units, the layer and the end of its window."""

    connection: Connection
    territory: Territory
    layer: Layer
    options: HotspotOptions
    until: datetime
    version: int  # of the layer, read before its rows: what comes between is read once more
    prompt: bool  # draws no null that takes long
    scans: ScanCache

    def records(self, days: float) -> Observations:
        since = self.until - timedelta(days=days)
        return read_records(self.connection, self.layer, self.options, since, self.until)

    def whole_days(self, days: int) -> Observations:
        """Those of so many days; the last one may be under way."""
        first = midnight(day_number(self.until) - days + 1)
        return self.records((self.until - first) / timedelta(days=1))

    def new_run(self, method: str, records: Observations, frame: Any) -> NewRun:
        return NewRun(
            layer_id=self.layer.id,
            method=method,
            options=self.options,
            until=self.until,
            version=self.version,
            left_out=records.left_out,
            official=self.territory.official,
            simulated=bool(records.simulated),
            input=frame,
        )


def methods_of(layer: Layer) -> list[str]:
    """The methods that the layer's file asks for, the alarms first."""
    options = layer.hotspots
    if options is None:
        return []
    maps = {"local_moran": options.local_moran, "emerging": options.emerging}
    asked = [method for method, section in maps.items() if section is not None]
    return [*options.alarms, "gi_star", *asked]


def run_hotspots(database: Database, layer: Layer, until: datetime) -> list[RunReport]:
    """Each method of the layer once, on what was received up to `until`.

    Raises BadInput for a layer without a section `hotspots`, or without boundaries.
    """
    if layer.hotspots is None:
        raise BadInput(f"layer {layer.id} has no section `hotspots` in its file")
    return [run_method(database, layer, method, until) for method in methods_of(layer)]


def run_method(
    database: Database,
    layer: Layer,
    method: str,
    until: datetime,
    *,
    prompt: bool = False,
    scans: ScanCache | None = None,
) -> RunReport:
    """One method, in one transaction; runs of a layer wait for each other.

    `prompt`: the alarm judges by the nearest null distribution rather than draw one that takes
    long, and leaves out a stream without any; `NullPrecomputation` draws them for a later run.
    `scans`: those of runs before, of which streams that did not change are taken.
    Raises BadInput for a method that the layer's file does not ask for, or without boundaries.
    """
    if layer.hotspots is None or method not in methods_of(layer):
        known = ", ".join(methods_of(layer)) or "none: it has no section `hotspots`"
        raise BadInput(f"layer {layer.id} has no method {method}; it has {known}")
    with database.writing() as connection:
        connection.execute(_ONE_AT_A_TIME, {"layer": layer.id})
        version = _version_of(connection, layer)
        territory = stored_territory(connection)
        look = _RunContext(
            connection,
            territory,
            layer,
            layer.hotspots,
            until,
            version,
            prompt,
            scans or ScanCache(),
        )
        return METHODS[method](look)


_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('hotspots ' || :layer, 0))")


def _version_of(connection: Connection, layer: Layer) -> int:
    asked = text("SELECT version FROM gis.layer WHERE id = :layer")
    version = connection.scalar(asked, {"layer": layer.id})
    if version is None:
        raise BadInput(f"layer {layer.id} has no table yet: `gis layers sync` makes it")
    return int(version)


def _run_map(look: _RunContext) -> RunReport:
    records, frame = _mapped(look, look.options)
    return _stored(look, "gi_star", records, frame, hot_hexes(frame, look.options))


def _run_local_moran(look: _RunContext) -> RunReport:
    options = look.options.local_moran
    assert options is not None
    records, frame = _mapped(look, options)
    return _stored(look, "local_moran", records, frame, outlying_hexes(frame, options))


def _mapped(look: _RunContext, options: MapOptions) -> tuple[Observations, pd.DataFrame]:
    """The records of a map's window, and their sums by hex."""
    records = look.records(options.window_days)
    domain = look.territory.cells(options.resolution)
    of = look.options.exposure
    exposure = read_exposure(look.connection, of, options.resolution) if of else None
    # Asked after its points were read: a layer that was closed meanwhile is told of in no map.
    if of not in (None, POPULATION, look.layer.id) and not look.connection.scalar(
        _IS_PUBLIC, {"layer": of}
    ):
        raise BadInput(f"the layer {of}, which is the `exposure`, is not public any more")
    return records, map_input(records, domain, options, look.until, exposure)


_IS_PUBLIC = text("SELECT gis.is_public(:layer)")


def _run_emerging(look: _RunContext) -> RunReport:
    options = look.options.emerging
    assert options is not None
    records = look.records((options.steps + 1) * options.step_days)
    domain = look.territory.cells(options.resolution)
    frame = emerging_input(records, domain, options, day_number(look.until))
    return _stored(look, "emerging", records, frame, emerging_hexes(frame, options))


def _stored(
    look: _RunContext, method: str, records: Observations, frame: Any, rows: list[dict[str, Any]]
) -> RunReport:
    """Keep a run whose rows are hexes."""
    run = look.new_run(method, records, frame)
    run_id = add_run(look.connection, run, store_input(look.connection, frame))
    cells = np.array([row["cell"] for row in rows], np.uint64)
    communes = look.territory.communes_of(cells) if rows else []
    placed = [
        {**row, "wkt": _hexagon(row["cell"]), "commune": commune}
        for row, commune in zip(rows, communes, strict=True)
    ]
    add_rows(look.connection, f"add_{method}", run_id, placed)
    return _report(look, run, run_id, records, len(rows))


def _run_alarm(look: _RunContext) -> RunReport:
    options = look.options.scan
    assert options is not None
    records = look.whole_days(options.window_days)
    frame = alarm_input(records)
    run = look.new_run("stp_scan", records, frame)
    digest = store_input(look.connection, frame)
    streams = streams_of(frame, options, day_number(look.until))
    looked = [_scanned(look, stream, options, digest) for stream in streams]
    changes = _changes(look, "stp_scan", SCAN, frame, options.window_days)
    run_id = add_run(look.connection, run, digest)
    teller = _teller(look, records, [scan.stream for scan, _ in looked], changes)
    told = [one for scan, _ in looked for one in teller.told(scan)]
    add_rows(look.connection, "add_stp_scan", run_id, [teller.row(one) for one in told])
    add_rows(look.connection, "add_streams", run_id, _stream_rows(looked))
    judged = [scan for scan, null in looked if null is not None]
    judged += [StreamScan(name, 0, False, ()) for name in changes.ended]
    held = _held_back(look, run.method, teller, records, run_id)
    applied = _applied(look, [*(teller.findings(scan, run_id) for scan in judged), *held])
    found = sum(one.tier is not None for one in told)
    return _report(look, run, run_id, records, found, applied)


def _scanned(
    look: _RunContext, stream: Stream, options: ScanOptions, digest: str
) -> tuple[StreamScan, int | None]:
    """The scan and the number of its null; without one, the stream is not judged."""
    null = stored_null(look.connection, look.layer.id, stream, options, digest, prompt=look.prompt)
    if null is None:
        return StreamScan(stream.name, len(stream.place), stream.strata is not None, ()), None
    return look.scans.scan(look.layer.id, stream, options, null.maxima), null.id


def _run_series(look: _RunContext) -> RunReport:
    options = look.options.series
    assert options is not None
    records = for_communes(look.whole_days(days_read(options)))
    frame = series_input(records)
    communes = len(look.territory.table.codes)
    streams = list(series_of(frame, options, day_number(look.until), communes))
    changes = _changes(look, "series", SERIES, frame, days_read(options))
    run = look.new_run("series", records, frame)
    run_id = add_run(look.connection, run, store_input(look.connection, frame))
    teller = _teller(look, records, [each.stream for each in streams], changes)
    speaks = SeriesFindings(teller, options)
    told = [one for each in streams for one in speaks.told(each)]
    add_rows(look.connection, "add_series", run_id, [speaks.row(one) for one in told])
    streams += [StreamSeries(name, communes + 1, ()) for name in changes.ended]
    held = _held_back(look, run.method, teller, records, run_id)
    applied = _applied(look, [*(speaks.findings(each, run_id) for each in streams), *held])
    found = sum(one.tier is not None for one in told)
    return _report(look, run, run_id, records, found, applied)


def _changes(
    look: _RunContext, method: str, rule: str, frame: pd.DataFrame, days: int
) -> InputChanges:
    first = day_number(look.until) - days + 1
    return input_changes(look.connection, look.layer.id, method, rule, frame, first)


def _teller(
    look: _RunContext, records: Observations, streams: Sequence[str], changes: InputChanges
) -> ScanFindings:
    names, policy = commune_names(look.connection), policy_of(look.layer, streams)
    official, simulated = look.territory.official, records.simulated
    return ScanFindings(look.layer, look.until, policy, names, official, simulated, changes)


def _held_back(
    look: _RunContext, method: str, teller: ScanFindings, records: Observations, run_id: int
) -> list[Findings]:
    """Told once, by the first of the layer's alarms."""
    if method != look.options.alarms[0]:
        return []
    return [
        replace(found, evidence=_held_evidence(look, found, ids))
        for found, ids in held_findings(teller, records, run_id)
    ]


def _held_evidence(look: _RunContext, found: Findings, held: frozenset[int]) -> Evidence:
    """What its alert tells of and is no longer held: mended, or deleted."""
    return Evidence(live_records(look.connection, found.layer_id, found.rule) - held)


def _applied(look: _RunContext, findings: Sequence[Findings]) -> AlertChanges:
    """What the alerts make of them; nothing in a layer that raises none."""
    if look.layer.alerts is None:
        return _NO_CHANGES
    return _together([apply_findings(look.connection, each) for each in findings])


def _stream_rows(looked: Sequence[tuple[StreamScan, int | None]]) -> list[dict[str, Any]]:
    return [
        {
            "stream": scan.stream,
            "cases": scan.cases,
            "stratified": scan.stratified,
            "llr": scan.llr,
            "p": scan.p,
            "null_id": null,
        }
        for scan, null in looked
    ]


def _together(changes: Sequence[AlertChanges]) -> AlertChanges:
    return AlertChanges(
        opened=tuple(one for each in changes for one in each.opened),
        updated=tuple(one for each in changes for one in each.updated),
        closed=tuple(one for each in changes for one in each.closed),
    )


def _report(
    look: _RunContext,
    run: NewRun,
    run_id: int,
    records: Observations,
    found: int,
    alerts: AlertChanges = _NO_CHANGES,
) -> RunReport:
    return RunReport(
        run_id=run_id,
        layer_id=look.layer.id,
        method=run.method,
        until=look.until,
        records=len(records.rows),
        left_out=records.left_out,
        found=found,
        alerts=alerts,
    )


def _hexagon(cell: int) -> str:
    ring = [(lon, lat) for lat, lon in h3.cell_to_boundary(h3.int_to_str(cell))]
    return f"POLYGON(({', '.join(f'{lon:.7f} {lat:.7f}' for lon, lat in [*ring, ring[0]])}))"


METHODS: dict[str, Callable[[_RunContext], RunReport]] = {
    "stp_scan": _run_alarm,
    "series": _run_series,
    "gi_star": _run_map,
    "local_moran": _run_local_moran,
    "emerging": _run_emerging,
}
