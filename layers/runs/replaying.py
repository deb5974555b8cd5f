"""Alarms as they would have been: each day anew, knowing what was received up to then."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection

from gis.alerts.findings import Findings
from gis.errors import BadInput
from layers.model import HotspotOptions, Layer
from layers.runs.alarm import StreamScan, alarm_input, null_of, scan_stream, streams_of
from layers.runs.records import Records, commune_names, day_number, midnight, read_records
from layers.runs.series import StreamSeries, days_read, series_input, series_of
from layers.runs.telling import Teller, policy_of
from layers.runs.telling_series import SeriesTeller

STOP = 20  # draws that reach the value: enough to know that chance brings it often


@dataclass(frozen=True, slots=True)
class PastLook:
    """What the alarms would have found at `until`."""

    until: datetime
    scans: tuple[StreamScan, ...]
    series: tuple[StreamSeries, ...] = ()
    simulated: bool = False


def replay(
    connection: Connection, layer: Layer, instants: Iterable[datetime]
) -> Iterator[PastLook]:
    """Looks at these instants, in order of time; nothing is stored.

    The rows are read and judged once: the gate goes by what came before, but for a burst of a
    source, which it sees in the whole of its day. Raises BadInput for a layer without an alarm.
    """
    options, ends = layer.hotspots, sorted(instants)
    if options is None or not options.alarms:
        raise BadInput(f"layer {layer.id} has no alarm: `hotspots: scan` asks for one")
    if not ends:
        return
    since = midnight(day_number(ends[0]) - _window(options) + 1)
    records = read_records(connection, layer, options, since, ends[-1])
    communes = len(commune_names(connection))
    for until in ends:
        known = replace(records, rows=records.rows[records.rows["received_at"] <= until])
        scans, series = _scans(known, options, until), _series(known, options, until, communes)
        yield PastLook(until, tuple(scans), tuple(series), records.simulated)


def past_findings(
    layer: Layer, look: PastLook, names: Mapping[str, str] = MappingProxyType({})
) -> list[Findings]:
    """What the alerts would have been told; communes by their `names`, else by their codes."""
    streams = {scan.stream for scan in look.scans} | {each.stream for each in look.series}
    policy = policy_of(layer, list(streams))
    teller = Teller(layer, look.until, policy, names, official=True, simulated=look.simulated)
    found = [teller.findings(scan) for scan in look.scans]
    if layer.hotspots is None or layer.hotspots.series is None:
        return found
    speaks = SeriesTeller(teller, layer.hotspots.series)
    return [*found, *(speaks.findings(each) for each in look.series)]


def _window(options: HotspotOptions) -> int:
    """Days from which the alarms know what is usual."""
    scan = options.scan.window_days if options.scan else 0
    return max(scan, days_read(options.series) if options.series else 0)


def _scans(records: Records, options: HotspotOptions, until: datetime) -> Iterator[StreamScan]:
    scan = options.scan
    if scan is not None:
        for stream in streams_of(alarm_input(records), scan, day_number(until)):
            yield scan_stream(stream, scan, null_of(stream, scan, stop=STOP))


def _series(
    records: Records, options: HotspotOptions, until: datetime, communes: int
) -> Iterator[StreamSeries]:
    if options.series is not None:
        frame = series_input(records)
        yield from series_of(frame, options.series, day_number(until), communes)
