"""With CI=true a skip fails unless its reason is listed; elsewhere none does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import ALLOWED_SKIPS, allowed_reasons

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest

@pytest.fixture
def missing():
    pytest.skip("{reason}")

def test_with_it(missing):
    pass

@pytest.mark.xfail(reason="known")
def test_that_fails_as_expected():
    assert False
"""


def run(folder: Path, content: str, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_doors.py").write_text(content)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.skips", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, str(folder)],
        env={"PYTHONPATH": str(ROOT), "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "ci", "code"),
    [
        ("no Chromium", "true", 1),
        ("no Chromium", "", 0),
        ("no development data at /nowhere", "true", 0),
    ],
)
def test_a_skip_that_is_not_listed_fails_on_the_integration_server(tmp_path, reason, ci, code):
    done = run(tmp_path, TESTS.format(reason=reason), ci)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("skipped with CI=true: no Chromium" in done.stdout) == (code == 1)
    assert "1 xfailed" in done.stdout


def test_a_module_that_is_skipped_whole_fails_too(tmp_path):
    done = run(tmp_path, "import pytest\npytest.importorskip('no_such_module')\n", "true")
    assert done.returncode != 0
    assert "skipped with CI=true" in done.stdout


def test_every_listed_reason_stands_in_a_test():
    others = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    source = "".join(path.read_text(encoding="utf-8") for path in others)
    assert allowed_reasons(), ALLOWED_SKIPS
    assert [reason for reason in allowed_reasons() if f'"{reason}' not in source
            and f'f"{reason}' not in source] == []  # fmt: skip
