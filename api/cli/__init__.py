"""The command line: one module a noun, each a thin layer over the domain.

A command imports what it needs when it runs, so that help and a mistyped word answer at once.
"""

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from api.cli.output import complain
from gis.errors import GisError
from gis.text import composed, fault_words

_NOUNS = (
    "db",
    "boundaries",
    "layers",
    "loads",
    "demo",
    "hotspots",
    "alerts",
    "subscriptions",
    "roster",
    "keys",
    "records",
    "gazetteer",
    "population",
    "rasters",
    "risk",
    "tiles",
    "jobs",
    "sources",
    "letters",
    "process",
)
_VERBS = ("up", "serve", "work", "place", "summary", "trace")


class _Commands(TyperGroup):
    """Group of all commands; errors of options are in plain words."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = fault_words(error.message)
            raise


def command_line() -> typer.Typer:
    """All commands."""
    app = typer.Typer(
        name="gis",
        cls=_Commands,
        help="GIS service of a provincial operations centre.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_root)
    for verb in _VERBS:
        app.command(verb)(getattr(importlib.import_module(f"api.cli.{verb}"), verb))
    for noun in _NOUNS:
        app.add_typer(importlib.import_module(f"api.cli.{noun}").app, name=noun)
    # Its name before the states of records were one vocabulary.
    records = importlib.import_module("api.cli.records").app
    app.add_typer(records, name="quarantine", hidden=True)
    return app


def _composed(word: str) -> str:
    """A word in NFC; the name of a file is whatever its disk says."""
    return word if word.isascii() or Path(word).exists() else str(composed(word))


def main() -> None:
    """Run a command; an error ends as one message and an exit code, never as a traceback."""
    try:
        command_line()([_composed(word) for word in sys.argv[1:]])
    except GisError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # the last resort: nobody should have to read a traceback
        if os.environ.get("GIS_LOG_LEVEL") == "debug":
            traceback.print_exc()
        complain(f"unexpected {type(error).__name__}: {error} (GIS_LOG_LEVEL=debug shows where)")
        sys.exit(1)


def _root() -> None:
    """GIS service of a provincial operations centre."""
