"""A run made again from what it read, and held against what it found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from gis.database.engine import Database
from layers.detect.methods.emerging import emerging_hexes
from layers.detect.methods.gi_star import hot_hexes
from layers.detect.methods.local_moran import outlying_hexes
from layers.detect.methods.series import series_of
from layers.detect.methods.stp_scan import by_all, draw_null, scan_stream, streams_of
from layers.detect.observations import day_number
from layers.detect.snapshot import unpack
from layers.detect.store import SQL, StoredRun, read_run, rows_of, runs_code

type Rows = list[dict[str, Any]]

# What makes two findings the same; words, names and outlines follow from these.
_COMPARED = {
    "stp_scan": ("stream", "rank", "centre", "radius_m", "days", "observed", "expected", "llr",
                 "p", "cells", "communes", "records"),
    "series": ("stream", "commune", "days", "observed", "expected", "p", "records"),
    "gi_star": ("cell", "count", "neighbours_count", "expected", "z", "p", "q", "edge"),
    "local_moran": ("cell", "category", "count", "expected", "neighbours_count",
                    "neighbours_expected", "moran", "p", "q", "edge"),
    "emerging": ("cell", "category", "count", "steps", "hot_steps", "cold_steps", "last_run", "z",
                 "trend_p", "trend"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Whether a run, made again, found the same; `differences` in words where it did not.

    `found`: as lists of runs count, so that what is too common for a tier is not; `compared`: all.
    """

    run: StoredRun
    found: int
    compared: int
    code_now: str
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not self.differences


def repeat_run(database: Database, run_id: int) -> Reproduction:
    """Make a run again from its stored input and parameters; nothing is stored.

    Nulls of scans are drawn anew from the input that they were drawn from. Raises NotFound, and
    Conflict for a run of which what it read was deleted since.
    """
    with database.reading() as connection:
        run = read_run(connection, run_id)
        again, doubts = _AGAIN[run.method](connection, run)
        before = rows_of(connection, run)
    names = _COMPARED[run.method]
    differences = [*doubts, *_differences(_told(before, names), _told(again, names))]
    found = sum(row.get("tier", "") is not None for row in before)
    return Reproduction(run, found, len(again), runs_code(), tuple(differences))


def _scan_again(connection: Connection, run: StoredRun) -> tuple[Rows, list[str]]:
    options = run.options.scan
    assert options is not None
    last_day = day_number(run.until)
    kept = {row.stream: row for row in connection.execute(SQL["nulls_of_run"], {"run": run.id})}
    rows, doubts = [], []
    for stream in streams_of(run.input, options, last_day):
        null = kept.get(stream.name)
        if null is None:
            continue  # its null was yet to be drawn: the run did not judge it
        origin = streams_of(unpack(null.content), options, null.last_day)
        maxima = draw_null(next(one for one in origin if one.name == stream.name), options)
        if not np.array_equal(maxima, null.maxima):
            doubts.append(f"the null of stream {stream.name!r} differs")
        scan = scan_stream(stream, options, by_all(maxima))
        rows += [_fields(one, "stp_scan") for one in scan.clusters]
    return rows, doubts


def _series_again(connection: Connection, run: StoredRun) -> tuple[Rows, list[str]]:
    options = run.options.series
    assert options is not None
    # What is compared depends on the records alone, not on how many communes there are.
    looks = series_of(run.input, options, day_number(run.until), communes=0)
    judged = [one for each in looks for one in each.judged]
    return [_fields(one, "series") for one in judged], []


def _fields(one: object, method: str) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _COMPARED[method]}


def _map_again(connection: Connection, run: StoredRun) -> tuple[Rows, list[str]]:
    return hot_hexes(run.input, run.options), []


def _local_moran_again(connection: Connection, run: StoredRun) -> tuple[Rows, list[str]]:
    assert run.options.local_moran is not None
    return outlying_hexes(run.input, run.options.local_moran), []


def _emerging_again(connection: Connection, run: StoredRun) -> tuple[Rows, list[str]]:
    assert run.options.emerging is not None
    return emerging_hexes(run.input, run.options.emerging), []


_AGAIN: dict[str, Callable[[Connection, StoredRun], tuple[Rows, list[str]]]] = {
    "stp_scan": _scan_again,
    "series": _series_again,
    "gi_star": _map_again,
    "local_moran": _local_moran_again,
    "emerging": _emerging_again,
}


def _told(rows: Rows, names: Iterable[str]) -> list[tuple[Any, ...]]:
    return [tuple(_plain(row[name]) for name in names) for row in rows]


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _differences(before: list[tuple[Any, ...]], again: list[tuple[Any, ...]]) -> list[str]:
    if len(before) != len(again):
        return [f"it found {len(before)}, and now finds {len(again)}"]
    changed = sum(one != other for one, other in zip(before, again, strict=True))
    return [f"{changed} of {len(before)} findings differ"] if changed else []
