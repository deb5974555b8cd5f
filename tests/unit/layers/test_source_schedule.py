"""Schedules, pauses and promises of sources, in the time of Vietnam."""

from datetime import datetime, timedelta

import pytest

from gis.clock import HERE
from layers.definition.model import FeedSource, Promise
from layers.sources.schedule import OPEN_FOR, fresh_until, next_run, pause_after
from tests.source_layers import feed_layer


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=HERE)


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        ("*/10 * * * *", "2026-03-08T10:01:30", "2026-03-08T10:10:00"),
        ("*/10 * * * *", "2026-03-08T10:10:00", "2026-03-08T10:20:00"),
        ("0 19 * * *", "2026-03-08T19:00:01", "2026-03-09T19:00:00"),
        ("30 7 * * 1-5", "2026-03-06T08:00:00", "2026-03-09T07:30:00"),
    ],
)
def test_the_next_run_is_by_the_clock_of_vietnam(schedule, after, due):
    source = feed_layer(schedule=schedule).source
    assert isinstance(source, FeedSource)
    assert next_run(source, at(after)) == at(due)


def test_pauses_grow_differ_and_end():
    pauses = [pause_after(3) for _ in range(50)]
    assert len(set(pauses)) > 40
    assert all(timedelta(seconds=90) <= pause <= timedelta(seconds=150) for pause in pauses)
    assert pause_after(4) > pause_after(1)
    assert 0.75 * OPEN_FOR <= pause_after(5) <= 1.25 * OPEN_FOR
    assert pause_after(1, asked_s=7200) == timedelta(hours=2)
    assert pause_after(1, asked_s=10**9) == 24 * OPEN_FOR


@pytest.mark.parametrize(
    ("promise", "fresh_at", "until"),
    [
        ({"fresh_within": "1h"}, "2026-03-08T10:00", "2026-03-08T11:00"),
        ({"fresh_within": "30min"}, None, "2026-03-01T08:30"),
        ({"fresh_within": "2d"}, "2026-03-08T10:00", "2026-03-10T10:00"),
        ({"fresh_by": "17:00"}, None, "2026-03-01T17:00"),
        ({"fresh_by": "07:00"}, None, "2026-03-02T07:00"),
        ({"fresh_by": "17:00"}, "2026-03-08T00:01", "2026-03-09T17:00"),
        ({"fresh_by": "17:00"}, "2026-03-08T23:59", "2026-03-09T17:00"),
    ],
)
def test_a_promise_is_missed_when_nothing_fresh_came(promise, fresh_at, until):
    found = fresh_until(Promise(**promise), fresh_at and at(fresh_at), at("2026-03-01T08:00"))
    assert found == at(until)
