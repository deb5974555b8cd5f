"""The interface of a detection method, and what a run is given and gives.

A method is one module of `layers.detect.methods` and one line of its registry. All else follows:
`gis hotspots run`, `list` and `repeat`, when a run is due, what is stored, listed and redacted.
Most methods find hexes: `HexMethod` runs, stores and repeats those.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import h3
import numpy as np
import pandas as pd
from sqlalchemy import Connection

from gis.alerts.updates import AlertChanges
from gis.placing.reference import Territory
from layers.definition.catalogue import read_layer
from layers.definition.model import HotspotOptions, Layer, LocalizedText, Strict
from layers.detect.observations import Observations, day_number, midnight, read_records
from layers.detect.scan_cache import ScanCache
from layers.detect.store import HEX_RESULTS, NewRun, StoredRun, add_rows, add_run, store_input

type Rows = list[dict[str, Any]]

_LAYER_FILES = Path(__file__).parents[1]
_NO_CHANGES = AlertChanges()


@dataclass(frozen=True, slots=True)
class RunReport:
    """A finished run: records read and left out, results found, alerts changed."""

    run_id: int
    layer_id: str
    method: str
    until: datetime
    records: int  # received in the window
    left_out: dict[str, int]  # of them, by the reason of the quality filter
    found: int  # hexes, clusters or series; of those with a tier, the rated alone
    alerts: AlertChanges = _NO_CHANGES


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run: its transaction, the units, the layer and the end of its window."""

    connection: Connection
    territory: Territory
    layer: Layer
    options: HotspotOptions
    alarms: tuple[str, ...]  # methods of the layer that raise alerts, the first one first
    until: datetime
    version: int  # of the layer, read before its rows: what comes between is read once more
    prompt: bool  # draws no null distribution that takes long
    scans: ScanCache

    def records(self, days: float) -> Observations:
        """The records received in the last `days`, judged by the quality filter."""
        since = self.until - timedelta(days=days)
        return read_records(self.connection, self.layer, self.options, since, self.until)

    def whole_days(self, days: int) -> Observations:
        """The records of so many days in Vietnam; the last one may be under way."""
        first = midnight(day_number(self.until) - days + 1)
        return self.records((self.until - first) / timedelta(days=1))

    def new_run(self, method: str, records: Observations, frame: pd.DataFrame) -> NewRun:
        """The run as it is to be stored, with `frame` as its input."""
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

    def report(
        self,
        run: NewRun,
        run_id: int,
        records: Observations,
        found: int,
        alerts: AlertChanges = _NO_CHANGES,
    ) -> RunReport:
        """The report of a run that was stored under `run_id`."""
        return RunReport(
            run_id=run_id,
            layer_id=self.layer.id,
            method=run.method,
            until=self.until,
            records=len(records.rows),
            left_out=records.left_out,
            found=found,
            alerts=alerts,
        )


@dataclass(frozen=True, slots=True)
class LatestRun:
    """The newest run of a method on a layer, by the end of its window."""

    is_current: bool  # it knows the newest rows, and what was drawn since for its streams
    until: datetime
    run_at: datetime


class Method[O: Strict](ABC):
    """One way to find something in the records of a layer; `O` are its options."""

    name: ClassVar[str]  # in the database, in `gis hotspots` and, of most, in the layer file
    label: ClassVar[LocalizedText]  # for people
    options: ClassVar[type[Strict]]  # of its section in the layer file
    results: ClassVar[str] = HEX_RESULTS  # table of schema gis that its results are rows of
    result_layer: ClassVar[str | None] = None  # layer that shows them
    rule: ClassVar[str | None] = None  # of the alerts that it raises; None: it is no alarm
    follows: ClassVar[str | None] = None  # method that is to speak first, where a layer has both
    pause: ClassVar[timedelta] = timedelta(0)  # between runs of one day, however the rows change

    @property
    def section(self) -> str:
        """The key under `hotspots` in the layer file that asks for it; empty: `hotspots` itself."""
        return self.name

    def options_of(self, hotspots: HotspotOptions) -> O | None:
        """Its options in a layer file; None where that does not ask for it."""
        section: O | None = getattr(hotspots, self.section, None)
        return section

    def reads(self, options: O) -> tuple[str, ...]:
        """Other layers whose rows it reads: when they change, it is due too."""
        return ()

    def is_due(self, options: O, latest: LatestRun, now: datetime) -> bool:
        """True if rows that changed, or a day that began, are to be evaluated now."""
        begun = day_number(now) > day_number(latest.until)
        paused = self.pause > timedelta(0) and latest.run_at > now - self.pause
        return begun or not (latest.is_current or paused)

    def is_incomplete(self, connection: Connection, layer: Layer) -> bool:
        """True if its newest run left something to the next, for which followers wait."""
        return False

    @abstractmethod
    def run(self, context: RunContext, options: O) -> RunReport:
        """Read, find and store, in the transaction of the context; alarms also raise alerts.

        Raises BadInput where what the options name is not there.
        """

    @property
    @abstractmethod
    def compared(self) -> tuple[str, ...]:
        """The columns of a result that make two results the same; words follow from these."""

    @abstractmethod
    def repeat(self, connection: Connection, run: StoredRun, options: O) -> tuple[Rows, list[str]]:
        """The results of a stored run, found anew in its input; and doubts, in words.

        Each result has the columns of `compared`, in the order in which they were stored.
        """


class HexMethod[O: Strict](Method[O]):
    """A method that finds hexes: it reads a frame, and finds hexes in nothing but that."""

    @abstractmethod
    def read(self, context: RunContext, options: O) -> tuple[Observations, pd.DataFrame]:
        """The records of the window, and the frame that is stored as the input of the run."""

    @abstractmethod
    def find(self, frame: pd.DataFrame, options: O) -> Rows:
        """The hexes found, in the order of cells.

        Each has `cell` (H3 index), `explanation_vi`, `explanation_en` and the columns of
        `compared`.
        """

    def run(self, context: RunContext, options: O) -> RunReport:
        records, frame = self.read(context, options)
        rows = self.find(frame, options)
        run = context.new_run(self.name, records, frame)
        run_id = add_run(context.connection, run, store_input(context.connection, frame))
        cells = np.array([row["cell"] for row in rows], np.uint64)
        communes = context.territory.communes_of(cells) if rows else []
        placed = [
            {**row, "wkt": _hexagon(row["cell"]), "commune": commune}
            for row, commune in zip(rows, communes, strict=True)
        ]
        add_rows(context.connection, self.results, run_id, placed)
        return context.report(run, run_id, records, len(rows))

    def repeat(self, connection: Connection, run: StoredRun, options: O) -> tuple[Rows, list[str]]:
        return self.find(run.input, options), []


def _hexagon(cell: int) -> str:
    """The outline of a cell as WKT: longitude, latitude (WGS 84)."""
    ring = [(lon, lat) for lat, lon in h3.cell_to_boundary(h3.int_to_str(cell))]
    return f"POLYGON(({', '.join(f'{lon:.7f} {lat:.7f}' for lon, lat in [*ring, ring[0]])}))"


@cache
def result_layer(layer_id: str) -> Layer:
    """The file of a layer of results: its title and the labels of its values stand there once."""
    return read_layer(_LAYER_FILES / f"{layer_id}.yaml")


def value_label(layer_id: str, field: str, value: str) -> LocalizedText:
    """The label of a value of a layer of results, as on the map and in its legend."""
    return (result_layer(layer_id).fields[field].values or {})[value]


def by_name(results: Sequence[object], names: Sequence[str]) -> Rows:
    """Attributes of results as rows, for `Method.repeat`."""
    return [{name: getattr(result, name) for name in names} for result in results]
