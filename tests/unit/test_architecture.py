"""The page for newcomers names only what exists."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
QUOTED = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
PATHS = [
    word for word in QUOTED if re.fullmatch(r"(gis|layers|tiles|api|tests|docs)/[\w./*]*", word)
]
NAMES = [word for word in QUOTED if re.fullmatch(r"(gis|layers|tiles|api)(\.\w+)+(\(.*\))?", word)]


def _database_names() -> str:
    return (ROOT / "gis" / "database" / "schema.sql").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PATHS)
def test_a_path_exists(path: str) -> None:
    assert list(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("name", [name.partition("(")[0] for name in NAMES])
def test_a_name_exists(name: str) -> None:
    """A name of Python, or of a table, its column, a view or function of the database."""
    module, _, rest = name.rpartition(".")
    if any(re.search(rf"\b{re.escape(one)}\b", _database_names()) for one in (name, module)):
        return
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        assert hasattr(importlib.import_module(module), rest), name


def test_the_page_names_much() -> None:
    assert len(PATHS) > 50
    assert len(NAMES) > 10
