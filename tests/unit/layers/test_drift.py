"""Columns of a source are held against what they were; chance alone is no drift."""

import random

import pytest

from gis.intake.tables import RawTable
from layers.definition.model import FeedSource
from layers.sources.drift import bearable_failures, news_of, observed_columns, stops
from tests.source_layers import feed_layer

LAYER = feed_layer()
FEED = LAYER.source
assert isinstance(FEED, FeedSource)


def table(**cells: list[str]) -> RawTable:
    size = len(next(iter(cells.values())))
    return RawTable("x", "", tuple(cells), cells, range(1, size + 1))


def known(*tables: RawTable):
    columns: dict = {}
    for each in tables:
        columns = observed_columns(columns, each, (), 0, accepted=False)
    return columns


def news(before, now: RawTable, *, is_file=False):
    return [(n.column, n.what) for n in news_of(LAYER, FEED, before, now, is_file=is_file)]


FULL = table(code=[f"S{n}" for n in range(50)], level=[str(n) for n in range(50)])


def test_nothing_is_new_at_the_first_sight_and_of_the_same():
    assert news({}, FULL) == []
    assert news(known(FULL), FULL) == []
    assert news(known(FULL), table(code=[], level=[])) == []


def test_a_column_that_is_rarely_filled_is_not_lost_in_a_few_records():
    rare = table(code=["a"] * 100, level=["1"] * 3 + [""] * 97)
    assert news(known(rare), table(code=["b"] * 40, level=[""] * 40)) == []
    assert news(known(rare), table(code=["b"] * 1000, level=[""] * 1000)) == [("level", "lost")]


def test_a_column_that_was_always_filled_is_lost_with_one_record_and_with_its_name():
    assert news(known(FULL), table(code=["a"])) == [("level", "lost")]
    rare = table(code=["a"] * 100, level=["1"] * 3 + [""] * 97)
    assert news(known(rare), table(code=["b"]), is_file=True) == [("level", "lost")]


@pytest.mark.parametrize("values", [["1", "2", "x", "4", "5", "6"], ["x"] * 4, ["", "", "", "7"]])
def test_some_odd_values_are_faults_of_their_records_and_no_drift(values):
    assert news(known(FULL), table(code=values, level=values)) == []


def test_numbers_that_become_words_or_days_are_a_retyped_column():
    for value in ("5 m", "2026-03-08"):
        assert news(known(FULL), table(code=["a"] * 6, level=[value] * 6)) == [("level", "retyped")]
    # A text may hold what it likes.
    named = table(code=["a"] * 30, name=["1"] * 30)
    assert news(known(named), table(code=["a"] * 6, name=["x"] * 6)) == []


def test_a_sparse_source_raises_no_question_by_chance():
    chance = random.Random(1)

    def batch() -> RawTable:
        level = ["1" if chance.random() < 0.5 else "" for _ in range(12)]
        return table(code=["a"] * 12, level=level)

    before = known(*(batch() for _ in range(20)))
    assert not any(news(before, batch()) for _ in range(500))


def test_what_was_accepted_is_what_is_known_from_then_on():
    before = known(FULL)
    changed = table(code=["a"] * 30, level=["5 m"] * 30)
    found = news_of(LAYER, FEED, before, changed, is_file=False)
    assert [stops(FEED, each) for each in found] == [True]
    after = observed_columns(before, changed, found, 12, accepted=True)
    assert news(after, changed) == []
    assert bearable_failures(after) == 0.8
    assert bearable_failures({}) is None
    few = known(table(code=["a"] * 10, level=["1"] * 10))
    assert bearable_failures(few) == 0.3


def test_counts_are_halved_and_never_grow_without_end():
    big = table(code=["a"] * 60_000, level=["1"] * 60_000)
    after = known(big, big, big, big)
    assert after["level"]["of"] <= 100_000
    assert after["level"]["filled"] == after["level"]["of"]
