"""Output of commands: results on stdout (text or JSON), progress and warnings on stderr."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gis.clock import HERE
from gis.errors import BadInput

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")]

# Lines to a pipe or a file are not wrapped.
_WIDTH = None if sys.stdout.isatty() else 4096
_out = Console(highlight=False, soft_wrap=True, width=_WIDTH)
_err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    _out.print(message, markup=False)


def step(message: str) -> None:
    """Name the step of a longer work."""
    _err.print(f"==> {message}", markup=False, style="bold")


def complain(message: str) -> None:
    _err.print(f"gis: {message}", markup=False, style="red")


def print_json(value: Any) -> None:
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    typer.echo(orjson.dumps(value, default=str, option=options).decode())


def check_folder(path: Path | None) -> None:
    """Raises BadInput for a file that could not be written, before the work for it is done."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise BadInput(f"there is no folder {path.parent}: make it first, or name another file")
    if path.is_dir():
        raise BadInput(f"{path} is a folder: name a file in it")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; raises BadInput."""
    try:
        with path.open("x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError:
        raise BadInput(f"{path} is there already: name another file, or remove it") from None


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """A table of rows, or their JSON; `empty` says in words that there are none."""
    if as_json:
        print_json([dict(row) for row in rows])
    elif not rows:
        say(empty)
    else:
        _out.print(_table(rows))


def print_facts(facts: Mapping[str, Any], *, as_json: bool) -> None:
    """One line a fact, or their JSON."""
    if as_json:
        print_json(dict(facts))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        say(f"{name.replace('_', ' '):<{width}}  {_text_of(value)}")


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, drawn on a terminal alone; call it with (done, total)."""
    columns = (TextColumn("    {task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*map(_text_of, row.values()))
    return table


def _text_of(value: Any) -> str:
    """A value as text for people: an instant in the country's time, a number to six digits."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(HERE).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
