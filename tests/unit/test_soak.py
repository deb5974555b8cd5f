"""Long runs go on where they were stopped, and each of their rounds is told of once."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import conftest, soak
from tests.soak import PARTS, ROOT, Totals, examples_in, read_totals, report, write_totals

STATISTICS = """
  - during generate phase (11.47 seconds):
    - 400 passing, 0 failing, and 40 invalid test cases
  - during generate phase (6.87 seconds):
    - 1500 passing, 0 failing, and 158 invalid test cases
"""
LAW_AND_COUNT = """
from hypothesis import given, strategies as st
from tests import soak

@given(st.integers())
def test_law(n):
    assert n == n

def test_count():
    soak.count("kills", soak.size(5, 200))
    assert soak.SEED != 4
"""


@pytest.fixture(autouse=True)
def files(monkeypatch, tmp_path):
    monkeypatch.setattr(soak, "STATES", tmp_path / "states")
    monkeypatch.setattr(soak, "REPORT", tmp_path / "soak.md")
    return tmp_path


def test_a_stopped_run_goes_on_with_the_seed_that_is_next(files):
    assert read_totals("kills", "abc") == Totals(1, "abc")
    write_totals("kills", Totals(1, "abc", rounds=3, seconds=90.0, counts={"kills": 600}))
    again = read_totals("kills", "abc")
    assert (again.next_seed, again.counts) == (4, {"kills": 600})
    fresh = report("kills", again, "abc")
    assert fresh == read_totals("kills", "abc") == Totals(4, "abc")
    assert report("kills", fresh, "abc") == fresh
    (line,) = soak.REPORT.read_text().splitlines()
    assert line.split(" | ", 1)[1] == "abc | kills | 1–3 | 3 | 600 kills | 2 | none |"


def test_what_was_done_of_another_commit_is_reported_under_its_name():
    write_totals("laws", Totals(5, "abc", rounds=1, failed_seeds=[5]))
    assert read_totals("laws", "def") == Totals(6, "def")
    assert "| abc | laws | 5–5 | 1 |  | 0 | 5 |" in soak.REPORT.read_text()


def test_a_round_takes_the_next_seed_and_counts_what_was_done(files, monkeypatch):
    law = files / "test_law.py"
    law.write_text(LAW_AND_COUNT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setitem(PARTS, "kills", ["--rootdir", str(files), str(law)])
    totals = Totals(3, "abc")
    soak.run_round("kills", totals)
    assert (totals.counts, totals.failed_seeds) == ({"kills": 200, "examples": 100}, [])
    soak.run_round("kills", totals)
    assert (totals.rounds, totals.counts["kills"], totals.failed_seeds) == (2, 400, [4])


def test_examples_are_counted_by_what_hypothesis_prints():
    assert examples_in(STATISTICS) == 1900


def test_the_long_form_draws_many_examples_from_the_seed_of_the_round(monkeypatch):
    @settings(max_examples=7)
    @given(st.integers())
    def law(n):
        pass

    items = [SimpleNamespace(obj=law), SimpleNamespace(obj=len), SimpleNamespace()]
    conftest.pytest_collection_modifyitems(items)
    assert law._hypothesis_internal_use_settings.max_examples == 7
    monkeypatch.setattr(soak, "LONG", True)
    monkeypatch.setattr(soak, "SEED", 9)
    conftest.pytest_collection_modifyitems(items)
    assert law._hypothesis_internal_use_settings.max_examples == 7 * soak.LONG_EXAMPLES
    assert law._hypothesis_internal_use_seed == 9


def test_the_files_of_the_parts_are_there():
    paths = {word for words in PARTS.values() for word in words if word.startswith("tests")}
    assert [path for path in paths if not (ROOT / path).exists()] == []
