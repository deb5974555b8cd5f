"""The command line: one module a noun, each a thin layer over the domain."""

import importlib
import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from api.cli.output import complain
from gis.errors import GisError
from gis.text import fault_words

_NOUNS = (
    "db",
    "boundaries",
    "layers",
    "demo",
    "hotspots",
    "alerts",
    "subscriptions",
    "keys",
    "quarantine",
    "gazetteer",
    "population",
    "tiles",
)
_VERBS = ("up", "place")


class _Commands(TyperGroup):
    """All commands; what is wrong with an option is said in plain words."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = fault_words(error.message)
            raise


def command_line(only: str | None = None) -> typer.Typer:
    """All commands; or those of one noun or verb, since some load much that others need not."""
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
    for verb in _wanted(_VERBS, only):
        app.command(verb)(getattr(importlib.import_module(f"api.cli.{verb}"), verb))
    for noun in _wanted(_NOUNS, only):
        app.add_typer(importlib.import_module(f"api.cli.{noun}").app, name=noun)
    return app


def main() -> None:
    """Run a command; an error ends as one message and an exit code, never as a traceback."""
    first = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        command_line(first if first in (*_NOUNS, *_VERBS) else None)()
    except GisError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # the last resort: nobody should have to read a traceback
        if os.environ.get("GIS_LOG_LEVEL") == "debug":
            traceback.print_exc()
        complain(f"unexpected {type(error).__name__}: {error} (GIS_LOG_LEVEL=debug tells where)")
        sys.exit(1)


def _root() -> None:
    """GIS service of a provincial operations centre."""


def _wanted(names: tuple[str, ...], only: str | None) -> list[str]:
    chosen = (*_NOUNS, *_VERBS) if only is None else (only,)
    return [name for name in names if name in chosen]
