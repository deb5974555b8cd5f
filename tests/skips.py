"""On the integration server a skipped test fails, unless its reason stands in a written list.

A skip is for the machine of a developer that lacks a program; on the server it would hide a test.
"""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

ALLOWED_SKIPS = Path(__file__).with_name("allowed_skips.txt")


def allowed_reasons() -> list[str]:
    """What the reasons of allowed skips begin with, as tests/allowed_skips.txt lists them."""
    lines = ALLOWED_SKIPS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _refuse[Report: (pytest.TestReport, pytest.CollectReport)](report: Report) -> Report:
    """The report, failed where it is a skip that nobody allowed; an expected failure is no skip."""
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return report
    assert isinstance(report.longrepr, tuple)  # file, line, "Skipped: " and the reason
    reason = report.longrepr[2].removeprefix("Skipped: ")
    if not any(reason.startswith(allowed) for allowed in allowed_reasons()):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped with CI=true: {reason}\n"
            f"Install what is missing, or allow the skip in tests/{ALLOWED_SKIPS.name}."
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _refuse((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _refuse((yield))
