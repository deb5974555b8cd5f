"""pyproject.toml declares what the packages and the tests import, and nothing else."""

import ast
import importlib.metadata
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("gis", "layers", "tiles", "api")
DEVELOPMENT = ("tests", "benchmarks", "calibration", "docs")
OWN = {*PACKAGES, *DEVELOPMENT, "data", *sys.stdlib_module_names}

# Declared, though no line imports them, and why.
NOT_IMPORTED = {"vietnamadminunits"}  # its data files alone are read
NOT_IMPORTED_IN_TESTS = {
    *("import-linter", "mypy", "ruff", "schemathesis"),  # run as programs
    *(
        "pandas-stubs",
        "types-cachetools",
        "types-psutil",
        "types-pyyaml",
        "lxml-stubs",
    ),  # read by mypy
    *("geopy", "tqdm", "unidecode"),  # imported by vietnamadminunits, a peer in benchmarks
}
# Imported, though nobody declares them, and why.
QGIS = "qgis"  # by scripts that run in QGIS's own Python
UVLOOP = "uvloop"  # of uvicorn[standard], where there is one for the system


def imported_modules(folders: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """The first word of each import of the code in some folders, and the file with it."""
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from ((alias.name.split(".")[0], path) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module.split(".")[0], path


def declared(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(one).name) for one in requirements}


def undeclared_and_used(folders: Sequence[str], known: set[str]) -> tuple[dict[str, str], set[str]]:
    """Modules that no known distribution holds, each with a file, and the distributions used."""
    holders = importlib.metadata.packages_distributions()
    undeclared, used = {}, set()
    for module, path in imported_modules(folders):
        if module in OWN:
            continue
        distributions = {canonicalize_name(name) for name in holders.get(module, ())}
        used |= distributions
        if not distributions & known:
            undeclared[module] = str(path.relative_to(ROOT))
    return undeclared, used


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    service = declared(project["dependencies"])
    undeclared, used = undeclared_and_used(PACKAGES, service)
    assert undeclared == {}
    assert service - used == NOT_IMPORTED


def test_what_tests_and_benchmarks_import_is_declared_and_nothing_else_is():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    service = declared(project["dependencies"])
    development = declared(project["optional-dependencies"]["dev"])
    undeclared, used = undeclared_and_used(DEVELOPMENT, service | development)
    assert undeclared.keys() - {QGIS, UVLOOP} == set(), undeclared
    assert development - used == NOT_IMPORTED_IN_TESTS
