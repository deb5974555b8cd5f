"""Writes the pages of docs/reference that follow from the code: `make docs`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import typer.main
from click import Command, Context, Group

from api.cli import command_line
from gis.settings import Settings

REFERENCE = Path(__file__).parent / "reference"


def settings_page() -> str:
    """Every setting with its default and meaning."""
    lines = ["# Settings", "", "Environment variables, read once at start.", ""]
    lines += ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{_shown(name, field.default)}`"
        lines.append(f"| `GIS_{name.upper()}` | {default} | {field.description} |")
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


def _commands(command: Command, name: str) -> Iterator[str]:
    if isinstance(command, Group):
        for child in command.list_commands(Context(command)):
            yield from _commands(command.commands[child], f"{name} {child}")
        return
    yield from (f"## {name}", "", (command.help or "").strip(), "")
    for parameter in command.params:
        record = parameter.to_info_dict()
        if record.get("hidden") or parameter.name == "help":
            continue
        label = (
            ", ".join(record["opts"]) if record["param_type_name"] == "option" else record["name"]
        )
        yield f"* `{label}`: {record.get('help') or ''}"
    if command.epilog:
        yield from ("", f"`{command.epilog.removeprefix('Example: ')}`")
    yield ""


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "commands.md": command_page,
}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (REFERENCE / file).write_text(page(), encoding="utf-8")
