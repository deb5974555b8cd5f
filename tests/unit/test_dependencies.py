"""pyproject.toml declares what the packages import, and nothing else."""

import ast
import importlib.metadata
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("gis", "layers", "tiles", "api")

# Declared, though no line imports them, and why.
NOT_IMPORTED = {"vietnamadminunits"}  # its data files alone are read


def imported_modules() -> Iterator[tuple[str, Path]]:
    """The first word of each import of the packages, and the file with it."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from ((alias.name.split(".")[0], path) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module.split(".")[0], path


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}
    holders = importlib.metadata.packages_distributions()
    own = {*PACKAGES, "data", *sys.stdlib_module_names}
    undeclared, used = {}, set()
    for module, path in imported_modules():
        if module in own:
            continue
        distributions = {canonicalize_name(name) for name in holders.get(module, ())}
        used |= distributions
        if not distributions & declared:
            undeclared[module] = str(path.relative_to(ROOT))
    assert undeclared == {}
    assert declared - used == NOT_IMPORTED
