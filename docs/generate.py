"""Writes the pages of docs/reference and the schema that follow from the code: `make docs`."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer.main

from api.cli import command_line
from gis.database.migrate import migrate
from gis.database.schema import SCHEMA, schema_text
from gis.settings import Settings
from layers.definition.reference import layer_file_page, layer_schema_text
from layers.items.formats import FORMATS
from layers.processes.description import command_of, parameter_rows
from layers.processes.operations import PROCESSES
from tests.databases import server

REFERENCE = Path(__file__).parent / "reference"


def settings_page() -> str:
    """Every setting with its default and meaning."""
    lines = ["# Settings", "", "Environment variables, read once at start.", ""]
    lines += ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        if field.exclude:  # it is no variable of that name
            continue
        default = "" if field.default is None else f"`{_shown(name, field.default)}`"
        lines.append(f"| `GIS_{name.upper()}` | {default} | {field.description} |")
    return "\n".join([*lines, ""])


def export_format_page() -> str:
    """Every format in which all items of a request can be had as one file."""
    lines = ["# Export formats", "", "`/ogc/collections/{layer}/items?f=…`", ""]
    lines += ["| `f` | format | media type | file | |", "| --- | --- | --- | --- | --- |"]
    for each in FORMATS.values():
        words = " ".join((inspect.getdoc(each.write) or "").partition("\n\n")[0].split())
        cells = (f"`{each.name}`", each.label, f"`{each.media_type}`", f"`{each.suffix}`", words)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def command_page() -> str:
    """Every command with its options and an example."""
    root = typer.main.get_command(command_line())
    codes = (
        "Exit codes: 0 done · 1 failed · 2 bad input · 3 a question to answer with an option · "
        "4 not found · 5 not allowed · 6 conflict · 7 database or network out of reach · "
        "8 something is not installed · 130 interrupted."
    )
    return "\n".join(["# Commands", "", codes, "", *_commands(root, "gis")])


def _shown(name: str, default: object) -> object:
    """A path of this machine is shown from the project's folder."""
    return {"home": ".gis", "layers": "layers"}.get(name, default)


def each_command(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command under one, with its full name."""
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child in children:
        if not children[child].hidden:
            yield from each_command(children[child], f"{name} {child}")


def _commands(root: Any, name: str) -> Iterator[str]:
    for full_name, command in each_command(root, name):
        text, _, example = f"{command.help}\n\n{command.epilog or ''}".partition("Example: ")
        yield from (f"## {full_name}", "", text.strip(), "")
        yield from filter(None, map(_parameter, command.params))
        yield from ("", f"`{example.strip()}`", "")


def _parameter(parameter: Any) -> str:
    if getattr(parameter, "hidden", False) or parameter.name == "help":
        return ""
    label = ", ".join(opt for opt in parameter.opts if opt.startswith("-")) or parameter.name
    return f"* `{label}`: {getattr(parameter, 'help', None) or ''}"


def write_schema() -> None:
    """The schema of a database made for it, on a server that goes with it."""
    with server() as running, running.opened() as database:
        migrate(database)
        with database.reading() as connection:
            SCHEMA.write_text(schema_text(connection), encoding="utf-8")


def process_page() -> str:
    """Every process with its parameters and inputs to begin with."""
    lines = [
        "# Processes",
        "",
        "Questions that are put to layers: on the page `/ask`, by `POST",
        '/ogc/processes/{process}/execution` with `{"inputs": {…}}`, or on the command line. How:',
        "[processes](../how-to/processes.md). A layer is its name, that of a result, or",
        '`{"layer": …, "filter": …, "datetime": …}`.',
        "",
    ]
    for process in PROCESSES.values():
        lines += [f"## {process.name}", "", f"{process.title.vi} / {process.title.en}", ""]
        lines += [process.description.vi, "", process.description.en, ""]
        lines += ["| parameter | takes | default | | |", "| --- | --- | --- | --- | --- |"]
        for row in parameter_rows(process):
            cells = [f"`{row['parameter']}`", row["takes"], row["default"], row["vi"], row["en"]]
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
        lines += ["", *(f"`{command_of(process.name, each)}`" for each in process.examples), ""]
    return "\n".join(lines)


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "commands.md": command_page,
    "export-formats.md": export_format_page,
    "processes.md": process_page,
    "layer-file.md": layer_file_page,
    "layer-file.schema.json": layer_schema_text,
}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (REFERENCE / file).write_text(page(), encoding="utf-8")
    write_schema()
