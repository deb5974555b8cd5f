"""Generated pages are what the code says now, and every command has an example."""

import pytest
import typer.main

from api.cli import command_line
from docs.generate import PAGES, REFERENCE, each_command


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name):
    written = (REFERENCE / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize(
    ("name", "command"), list(each_command(typer.main.get_command(command_line()), "gis"))
)
def test_a_command_says_what_it_does_and_has_an_example(name, command):
    told = f"{command.help} {command.epilog}"
    assert command.help
    assert "Example: " in told, name
