"""A run made again from its stored input, and compared with its stored results."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gis.database.engine import Database
from gis.errors import Conflict
from layers.detect.methods import METHODS
from layers.detect.store import StoredRun, read_run, rows_of, runs_code

type Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Comparison of a run with the same one made again; `differences` in words where there are any.

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

    Null distributions of scans are drawn anew from the input that they were drawn from. Raises
    NotFound, and Conflict for a run whose input was deleted since or whose method there is no more.
    """
    with database.reading() as connection:
        run = read_run(connection, run_id)
        method = METHODS.get(run.method)
        if method is None:
            raise Conflict(
                f"run {run_id} cannot be made again: there is no method {run.method} any more"
            )
        again, doubts = method.repeat(connection, run, method.options_of(run.options))
        before = rows_of(connection, run.id, method.results)
    names = method.compared
    differences = [*doubts, *_differences(_values(before, names), _values(again, names))]
    found = sum(row.get("tier", "") is not None for row in before)
    return Reproduction(run, found, len(again), runs_code(), tuple(differences))


def _values(rows: Rows, names: Iterable[str]) -> list[tuple[Any, ...]]:
    return [tuple(_plain(row[name]) for name in names) for row in rows]


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _differences(before: list[tuple[Any, ...]], again: list[tuple[Any, ...]]) -> list[str]:
    if len(before) != len(again):
        return [f"it found {len(before)}, and now finds {len(again)}"]
    changed = sum(one != other for one, other in zip(before, again, strict=True))
    return [f"{changed} of {len(before)} findings differ"] if changed else []
