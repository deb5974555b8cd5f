"""A wheel holds whatever the packages read beside code."""

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "gis", "layers", "tiles", "data")


def test_every_file_beside_code_is_package_data() -> None:
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]
    files = [Path(line) for line in listed.stdout.splitlines() if not line.endswith(".py")]
    assert len(files) > 30
    for file in files:
        package = ".".join(file.parent.parts)
        named = [*patterns["*"], *patterns.get(package, [])]
        assert any(file.match(pattern) for pattern in named), f"{file} would not be in a wheel"
