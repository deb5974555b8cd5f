"""The alarm as it would have been: each day anew, knowing what was received up to then."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection

from gis.alerts.findings import Findings
from gis.errors import BadInput
from layers.model import Layer, ScanOptions
from layers.runs.alarm import StreamScan, alarm_input, null_of, scan_stream, streams_of
from layers.runs.records import Records, day_number, midnight, read_records
from layers.runs.telling import Teller, policy_of

STOP = 20  # draws that reach the value: enough to know that chance brings it often


@dataclass(frozen=True, slots=True)
class PastLook:
    """What the alarm would have found at `until`."""

    until: datetime
    scans: tuple[StreamScan, ...]
    simulated: bool = False


def replay(
    connection: Connection, layer: Layer, instants: Iterable[datetime]
) -> Iterator[PastLook]:
    """Looks at these instants, in order of time; nothing is stored.

    The rows are read and judged once: the gate goes by what came before, but for a burst of a
    source, which it sees in the whole of its day. Raises BadInput for a layer without an alarm.
    """
    options = layer.hotspots.scan if layer.hotspots else None
    ends = sorted(instants)
    if options is None or layer.hotspots is None:
        raise BadInput(f"layer {layer.id} has no alarm: `hotspots: scan` asks for one")
    if not ends:
        return
    since = midnight(day_number(ends[0]) - options.window_days + 1)
    records = read_records(connection, layer, layer.hotspots, since, ends[-1])
    for until in ends:
        yield PastLook(until, tuple(_scans(records, options, until)), records.simulated)


def past_findings(
    layer: Layer, look: PastLook, names: Mapping[str, str] = MappingProxyType({})
) -> list[Findings]:
    """What the alerts would have been told; communes by their `names`, else by their codes."""
    policy = policy_of(layer, [scan.stream for scan in look.scans])
    teller = Teller(layer, look.until, policy, names, official=True, simulated=look.simulated)
    return [teller.findings(scan) for scan in look.scans]


def _scans(records: Records, options: ScanOptions, until: datetime) -> Iterator[StreamScan]:
    rows = records.rows
    known = Records(rows[rows["received_at"] <= until], {}, records.simulated)
    for stream in streams_of(alarm_input(known), options, day_number(until)):
        yield scan_stream(stream, options, null_of(stream, options, stop=STOP))
