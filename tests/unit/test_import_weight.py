"""What is imported is what is used: help and mistyped words of the command line load no domain."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer.main

from api.cli import command_line
from docs.generate import each_command

HEAVY = {
    "fastapi", "geopandas", "numba", "numpy", "pandas", "psycopg", "pyarrow", "pygeoapi", "pyproj",
    "rasterio", "scipy", "shapely", "sklearn", "sqlalchemy", "starlette", "uvicorn",
}  # fmt: skip

# Runs each line of words, and tells after which of them which modules were there first.
HELP_PROGRAM = """
import contextlib, io, json, sys
from api.cli import main

lines, heavy = json.loads(sys.argv[1]), set(json.loads(sys.argv[2]))
codes, loaded = [], {}
for words in lines:
    sys.argv = ["gis", *words]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            codes.append(end.code)
    for name in heavy & sys.modules.keys():
        loaded.setdefault(name, "gis " + " ".join(words))
print(json.dumps([codes, loaded]))
"""


def help_lines() -> Iterator[tuple[list[str], int]]:
    """The words of a command line, and the exit code that they end with."""
    yield ["--help"], 0
    yield ["lods"], 2
    names = [
        name.split()[1:] for name, _ in each_command(typer.main.get_command(command_line()), "gis")
    ]
    for noun in sorted({words[0] for words in names if len(words) > 1}):
        yield [noun, "--help"], 0
        yield [noun, "lods"], 2
    for words in names:
        yield [*words, "--help"], 0
        yield [*words, "--lods"], 2


def test_help_and_mistyped_commands_import_nothing_heavy():
    lines = list(help_lines())
    assert len(lines) > 100
    arguments = [json.dumps([words for words, _ in lines]), json.dumps(sorted(HEAVY))]
    done = subprocess.run(
        [sys.executable, "-c", HELP_PROGRAM, *arguments], capture_output=True, text=True, check=True
    )
    codes, loaded = json.loads(done.stdout)
    assert loaded == {}
    assert codes == [code for _, code in lines]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["keys", "create", "--role", "anonymous"], "'department', 'operator', 'admin'"),
        (["subscriptions", "add", "desk", "pigeon", "x"], "'mail', 'webhook'"),
    ],
)
def test_a_word_that_is_no_role_or_channel_is_answered_with_those_that_are(words, message):
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert message in done.stderr
