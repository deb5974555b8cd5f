"""Whose voices records are: of who is named, of what they were sent with, or of nobody."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis import analysis

VALUES = st.sampled_from([None, "a", "b", "c"])
RECORDS = st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=12)


def told(records: list[tuple[str | None, ...]], key: str = "") -> np.ndarray:
    columns = zip(*records, strict=True) if records else ((), (), ())
    keyed = [pd.Series([None if one is None else f"{key}{hash((key, one))}" for one in column],
                       dtype=object) for column in columns]  # fmt: skip
    return analysis.voices(keyed[0], keyed[1:])


def partition(voice: np.ndarray) -> set[frozenset[int]]:
    """The records of each voice; a record without any is by itself."""
    return {frozenset(np.flatnonzero(voice == one).tolist()) for one in set(voice) - {0}} | {
        frozenset([n]) for n in np.flatnonzero(voice == 0).tolist()
    }


def by_hand(records: list[tuple[str | None, ...]]) -> set[frozenset[int]]:
    """The same, merging records one by one until nothing changes."""
    voice = [("named", one[0]) if one[0] else ("record", n) for n, one in enumerate(records)]
    unnamed = [n for n, one in enumerate(records) if one[0] is None]
    group = {n: {n} for n in unnamed}
    for _ in records:
        for one in unnamed:
            for other in unnamed:
                if any(records[a][k] is not None and records[a][k] == records[b][k]
                       for k in (1, 2) for a in group[one] for b in group[other]):  # fmt: skip
                    merged = group[one] | group[other]
                    for each in merged:
                        group[each] = merged
    for n in unnamed:
        shared = {(k, records[a][k]) for a in group[n] for k in (1, 2) if records[a][k]}
        names = [one[0] for one in records
                 if one[0] and any((k, one[k]) in shared for k in (1, 2))]  # fmt: skip
        voice[n] = ("named", names[0]) if names else ("record", min(group[n]))
    return {frozenset(n for n, one in enumerate(voice) if one == each) for each in voice}


@settings(max_examples=300)
@given(RECORDS)
def test_voices_are_those_that_one_finds_by_hand(records):
    assert partition(told(records)) == by_hand(records)


@given(RECORDS)
def test_another_key_splits_and_joins_no_voice(records):
    assert np.array_equal(told(records, "one key"), told(records, "another"))


@pytest.mark.parametrize("with_forms", [True, False])
def test_who_names_nobody_is_one_voice_a_device_whatever_the_form(with_forms):
    for seed in range(100):
        random = np.random.default_rng(seed)
        n = int(random.integers(2, 60))
        # A prankster of one device clears the form and names himself now and then, or never.
        name = "x" if random.random() < 0.5 else None
        records = [
            (name if random.random() < 0.3 else None, "device", f"form {k}" if with_forms else None)
            for k in range(n)
        ]
        assert len(partition(told(records))) == 1, seed


def test_people_with_devices_of_their_own_are_as_many_voices():
    records = [(None, f"device {n}", "a form") for n in range(9)]
    assert len(partition(told([(None, one[1], None) for one in records]))) == 9
    assert len(partition(told(records))) == 1, "one form sent them all"
    assert len(partition(told([(f"person {n}", "a kiosk", None) for n in range(9)]))) == 9
    assert told([(None, None, None)] * 3).tolist() == [0, 0, 0]
