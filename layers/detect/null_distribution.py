"""Null distributions of scans, stored so that an arriving report is judged at once.

A run draws those of few cases itself; the others are precomputed by `NullPrecomputation`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row

from gis.database.engine import Database
from gis.jobs.kind import RunningJob
from layers.definition.model import Layer, ScanOptions
from layers.detect.observations import day_number
from layers.detect.scan import (
    IncrementalNull,
    Stream,
    StreamScan,
    draw_null,
    scan_stream,
    streams_of,
)
from layers.detect.snapshot import unpack
from layers.detect.store import SQL, runs_code

Floats = npt.NDArray[np.float64]

FEW = 500  # cases, whose null is drawn in about a tenth of a second
AHEAD = timedelta(hours=1)  # before midnight, from when on the nulls of the next day are drawn
SHARE_OF_CASES = 0.02  # within which a null fits, as gis.null_fits has it
# Of 999 replicates that reach an evaluation: where its p ≤ 1/30, all are drawn.
ENOUGH = 34


@dataclass(frozen=True, slots=True)
class StoredNull:
    id: int
    maxima: Floats


def stored_null(
    connection: Connection,
    layer_id: str,
    stream: Stream,
    options: ScanOptions,
    digest: str,
    *,
    prompt: bool = False,
) -> StoredNull | None:
    """The null of a stream: drawn for its last day and nearly as many cases, or drawn now.

    `digest` is that of the run's input, kept with it, so that it can be drawn again. `prompt`: what
    takes long is not drawn; the nearest one of up to 5 % more or fewer cases serves, None
    without any.
    """
    known = _nearest(connection, layer_id, stream, options)
    lacking = known is None or not known.fits
    if lacking and (not prompt or len(stream.place) <= FEW):
        maxima = draw_null(stream, options)
        return _store(connection, layer_id, stream, options, digest, maxima)
    return None if known is None else StoredNull(known.id, np.array(known.maxima))


class NullPrecomputation:
    """Draws, one at a time, the nulls that the newest runs lack, and those of the next day."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._complete: dict[str, tuple[int, list[int]]] = {}  # by layer: its run, and the days

    def draw_next(self, layer: Layer, now: datetime, job: RunningJob | None = None) -> str | None:
        """Draw one null, from what the layer's newest run read; gives its stream.

        None where none is lacking. No transaction is open while it draws, and no run waits. Raises
        Superseded where the job is another's by now, and nothing is stored.
        """
        days = days_drawn(now)
        with self._database.reading() as connection:
            run = connection.execute(SQL["newest_scan"], {"layer": layer.id}).one_or_none()
            if run is None or self._complete.get(layer.id) == (run.id, days):
                return None
            lacking = next(_lacking(connection, layer, run, days), None)
        if lacking is None:
            self._complete[layer.id] = (run.id, days)
            return None
        options = _scan_options(layer)
        maxima = draw_null(lacking, options)
        with self._database.writing() as connection:
            if job is not None:
                job.fence(connection)
            _store(connection, layer.id, lacking, options, run.input_digest, maxima)
        return lacking.name


def days_drawn(now: datetime) -> list[int]:
    """The days whose null distributions are to be there: today, and soon tomorrow."""
    return sorted({day_number(now), day_number(now + AHEAD)})


def _lacking(
    connection: Connection, layer: Layer, run: Row[Any], days: Sequence[int]
) -> Iterator[Stream]:
    """The streams that a run has read, on each of some days, whose null is not there.

    First those that no null can judge meanwhile, and those that changed most.
    """
    options = _scan_options(layer)
    read = unpack(connection.execute(SQL["input"], {"digest": run.input_digest}).scalar_one())
    for day in days:
        known = [
            (_nearest(connection, layer.id, stream, options), stream)
            for stream in streams_of(read, options, day)
        ]
        lacking = [each for each in known if each[0] is None or not each[0].fits]
        yield from (stream for _, stream in sorted(lacking, key=_likeness))


def _likeness(each: tuple[Row[Any] | None, Stream]) -> float:
    """Likeness of a stream and its nearest null distribution, 0 (there is none) to 1."""
    null, stream = each
    cases = len(stream.place)
    return 0.0 if null is None else min(null.cases, cases) / max(null.cases, cases)


def _scan_options(layer: Layer) -> ScanOptions:
    assert layer.hotspots is not None and layer.hotspots.scan is not None
    return layer.hotspots.scan


def _nearest(
    connection: Connection, layer_id: str, stream: Stream, options: ScanOptions
) -> Row[Any] | None:
    return connection.execute(SQL["find_null"], _wanted(layer_id, stream, options)).one_or_none()


def _store(
    connection: Connection,
    layer_id: str,
    stream: Stream,
    options: ScanOptions,
    digest: str,
    maxima: Floats,
) -> StoredNull:
    drawn = {"digest": digest, "maxima": maxima.tolist()}
    wanted = _wanted(layer_id, stream, options)
    return StoredNull(connection.execute(SQL["keep_null"], wanted | drawn).scalar_one(), maxima)


def _wanted(layer_id: str, stream: Stream, options: ScanOptions) -> dict[str, object]:
    return {
        "layer": layer_id,
        "stream": stream.name,
        "last_day": stream.last_day,
        "options": options.model_dump_json(),
        "code": runs_code(),
        "stratified": stream.strata is not None,
        "cases": len(stream.place),
    }


def scan_day(
    looks: Iterable[Stream], options: ScanOptions, stop: int = ENOUGH
) -> Iterator[StreamScan]:
    """Looks of one day, in order of time, each by the null that would have been kept for it.

    A null is drawn as far as `stop` of its replicates show what it judges to be common.
    """
    kept: list[tuple[Stream, IncrementalNull]] = []
    for stream in looks:
        null = next((null for origin, null in reversed(kept) if _serves(origin, stream)), None)
        if null is None:
            null = IncrementalNull(stream, options, stop)
            kept.append((stream, null))
        yield scan_stream(stream, options, null)


def _serves(origin: Stream, stream: Stream) -> bool:
    """True if the null distribution drawn for `origin` still judges the stream as it is now."""
    kept, cases = len(origin.place), len(stream.place)
    alike = origin.name == stream.name and (origin.strata is None) == (stream.strata is None)
    return alike and abs(cases - kept) <= SHARE_OF_CASES * kept
