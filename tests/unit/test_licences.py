"""The product is under the MIT licence: nothing that it is installed with is under the GPL."""

import json
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
# The Lesser GPL lets a product of any licence use the library, and so does the GPL with the
# exception of GCC's runtime, under which NumPy and SciPy bundle libgfortran.
_LESSER = re.compile(r"\bL(?:esser )?GPL|LESSER GENERAL PUBLIC|Lesser General Public")
_GPL = re.compile(r"\bA?GPL|GENERAL PUBLIC LICENSE|General Public License")
_EXCEPTION = re.compile(r"GCC RUNTIME LIBRARY EXCEPTION|GCC-exception", re.IGNORECASE)


def locked(name: str) -> dict[str, str]:
    """Package → version of a lock file, those for this machine alone."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z0-9]", line)]
    return {
        one.name: str(one.specifier).removeprefix("==")
        for one in wanted
        if one.marker is None or one.marker.evaluate()
    }


def forbids(words: str) -> bool:
    """Whether words of a licence leave no choice but the GPL."""
    if _EXCEPTION.search(words):
        return False
    choices = re.split(r"\bOR\b", words)
    return all(_GPL.search(_LESSER.sub("", choice)) for choice in choices)


def licence_of(package: Distribution) -> str:
    told = package.metadata
    expression = told.get("License-Expression") or told.get("License") or ""
    classified = [line for line in told.get_all("Classifier", []) if line.startswith("License ::")]
    return "\n".join([expression.strip().partition("\n")[0], *classified])


@pytest.mark.parametrize(
    ("words", "forbidden"),
    [
        ("GPL-2.0-or-later", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("AGPL-3.0", True),
        ("LGPL-3.0-only", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MIT OR GPL-2.0", False),
        ("BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ("MIT", False),
        ("", False),
    ],
)
def test_words_of_licences_are_read_rightly(words: str, forbidden: bool) -> None:
    assert forbids(words) is forbidden


@pytest.mark.parametrize("name", locked("requirements.txt"))
def test_a_python_package_of_the_service_is_not_under_the_gpl(name: str) -> None:
    try:
        package = distribution(name)
    except PackageNotFoundError:
        pytest.fail(f"{name} is locked and not installed: run `make test`")
    words = licence_of(package)
    assert words.strip(), f"{name} names no licence"
    assert not forbids(words), words


def test_what_only_tests_need_may_be_under_the_gpl_and_is_seen_as_such() -> None:
    assert "unidecode" not in locked("requirements.txt")
    assert forbids(licence_of(distribution("unidecode")))


def test_the_packages_of_the_service_are_those_of_the_tests() -> None:
    service, tests = locked("requirements.txt"), locked("requirements-dev.txt")
    assert service.items() <= tests.items()


def test_the_packages_of_the_map_are_not_under_the_gpl() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    licences = {name: told.get("license") for name, told in packages.items()}
    assert len(licences) > 5
    assert None not in licences.values(), "an npm package without a licence"
    assert not [name for name, words in licences.items() if forbids(str(words))]
