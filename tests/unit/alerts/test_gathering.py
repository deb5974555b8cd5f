"""Gathering: an alert lies within a situation that tells of it, and within no other."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.alerts.engine import AlertState, LastNotification
from gis.alerts.gathering import CONDITIONS, GATHERED, SITUATION, lies_within
from gis.alerts.inhibition import INHIBITS, Silence, Suppressions
from gis.alerts.states import Status
from tests.unit.alerts.made import DAY, day, signal
from tests.unit.alerts.test_inhibition import standing

WHERE = {"cells": (), "centre": None, "radius_m": None}
HIDDEN = {Status.PENDING, Status.SUPPRESSED, Status.EXPIRED, Status.RESOLVED, Status.FALSE}


def night(number: int = 9, streams: tuple[str, ...] = ("disaster",), **changes) -> AlertState:
    facts = {"situation": {"streams": [{"code": name} for name in streams]}}
    communes = changes.pop("communes", ("00004", "00007"))
    records = changes.pop("records", tuple(range(1, 40)))
    made = signal(0, since=day(-1), communes=communes, records=records, measures=facts,
                  key=SITUATION, **WHERE)  # fmt: skip
    return standing(number, **({"rule": SITUATION, "stream": "", "signal": made} | changes))


def test_an_alert_of_its_communes_subjects_and_time_lies_within_a_situation():
    assert lies_within(night(), standing())
    assert lies_within(night(), standing(rule="series"))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ({"streams": ("traffic",)}, {}),
        ({"communes": ("00001",), "records": ()}, {}),
        ({"simulated": True}, {}),
        ({"official": False}, {}),
        ({"rule": "scan"}, {}),
        *(({"status": status}, {}) for status in sorted(HIDDEN)),
        ({}, {"signal": signal(-20)}),
        ({}, {"rule": "many_reports"}),  # a person wrote it
        ({}, {"rule": "held_back"}),
        ({}, {"rule": "undated"}),
        ({}, {"rule": "alarm_failing"}),
        ({}, {"rule": SITUATION}),
    ],
)
def test_no_alert_lies_within_a_situation_of_something_else(outer, inner):
    assert not lies_within(night(**outer), standing(**inner))


def test_a_cluster_that_spills_over_a_border_is_of_the_situation_of_its_records():
    spilt = standing(signal=signal(0, communes=("00004", "00001")))
    assert lies_within(night(), spilt)
    assert not lies_within(night(records=(1, 2)), spilt)
    everywhere = standing(rule="series", signal=signal(0, communes=(), **WHERE))
    assert lies_within(night(), everywhere)
    assert not lies_within(night(records=(1, 2)), everywhere)


def test_an_alert_stays_while_its_situation_shrinks_and_leaves_when_it_spreads():
    inside = standing(within_id=9, last_notification=LastNotification.of(signal(0)))
    shrunk = night(communes=("00007",), records=(1, 2))
    assert lies_within(shrunk, inside)
    assert not lies_within(shrunk, replace(inside, within_id=8))
    spread = replace(inside, signal=signal(0, communes=("00004", "00001")))
    assert not lies_within(shrunk, spread)


def test_other_layers_lie_within_by_place_and_time_alone():
    other = standing(layer_id="field_incidents", stream="landslide")
    assert lies_within(night(), other)
    assert not lies_within(night(communes=("00001",)), other)
    assert lies_within(night(), night(10, layer_id="field_incidents"))


@pytest.mark.parametrize("rule", [None, "scan", "series"])
@pytest.mark.parametrize("communes", [frozenset(), frozenset({"00004", "00007"})])
def test_a_silence_of_ordinary_days_does_not_hold_on_a_situation(rule, communes):
    quiet = Silence(1, "citizen_reports", rule, communes, "officer", "drill", DAY, day(9))
    assert Suppressions((quiet,), ()).why(night()) is None
    named = replace(quiet, rule=SITUATION)
    assert Suppressions((named,), ()).why(night()) is not None


_rules = st.sampled_from(["scan", "series", SITUATION, "many_reports", "high_water", "held_back"])
_communes = st.sets(st.sampled_from(["00001", "00004", "00007"])).map(sorted).map(tuple)
_records = st.tuples(st.integers(1, 30), st.integers(0, 12)).map(
    lambda some: tuple(range(some[0], some[0] + some[1]))
)
_any = st.builds(
    lambda rule, layer, stream, status, simulated, official, communes, records, days, streams: (
        replace(
            night(1, tuple(streams), communes=communes, records=records, layer_id=layer,
                  stream=stream, status=status, simulated=simulated, official=official),
            rule=rule,
        ) if days is None else standing(
            2, rule=rule, layer_id=layer, stream=stream, status=status, simulated=simulated,
            official=official,
            signal=signal(days, communes=communes, records=records,
                          measures={"situation": {"streams": [{"code": s} for s in streams]}}),
        )
    ),
    _rules,
    st.sampled_from(["citizen_reports", "field_incidents"]),
    st.sampled_from(["disaster", "security", ""]),
    st.sampled_from(Status),
    st.booleans(),
    st.booleans(),
    _communes,
    _records,
    st.none() | st.integers(-9, 9),
    st.sets(st.sampled_from(["disaster", "security", ""])),
)  # fmt: skip


@settings(max_examples=300)
@given(_any, _any)
def test_what_lies_within_is_alike_in_place_time_and_subject(outer, inner):
    if not lies_within(outer, inner):
        return
    assert outer.rule == SITUATION
    assert inner.rule in GATHERED | {SITUATION}
    assert outer.status in (Status.OPEN, Status.ACKNOWLEDGED)
    assert inner.simulated or not outer.simulated
    assert outer.official or not inner.official
    assert outer.signal.since <= inner.signal.until
    assert inner.signal.since <= outer.expires_at
    shared = len(set(inner.signal.records) & set(outer.signal.records))
    inside = set(inner.signal.communes) <= set(outer.signal.communes)
    if inner.layer_id == outer.layer_id:
        told = {one["code"] for one in outer.signal.measures["situation"]["streams"]}
        assert inner.stream in told
        assert inside or 2 * shared > len(inner.signal.records)
    else:
        assert inside and inner.signal.communes


@given(_any, _any)
def test_the_table_is_the_whole_rule(outer, inner):
    assert lies_within(outer, inner) == all(holds(outer, inner) for holds in CONDITIONS.values())


def test_no_rule_that_a_person_may_write_is_gathered_or_inhibited():
    from layers.definition.checks import DETECTORS

    assert GATHERED | {SITUATION} | {inner for _, inner in INHIBITS} <= set(DETECTORS)


def test_a_situation_is_neither_inhibited_nor_an_inhibitor():
    assert SITUATION not in {rule for pair in INHIBITS for rule in pair}
