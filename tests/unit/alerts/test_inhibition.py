"""Inhibition: an alert is kept from notification by one of the same evidence alone."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gis.alerts.engine import AlertState, settle
from gis.alerts.findings import Evidence
from gis.alerts.identity import shares_most
from gis.alerts.inhibition import CONDITIONS, INHIBITS, Silence, Suppressions, covers
from gis.alerts.policy import Policy, Tier
from gis.alerts.states import ENDS, Act, Status
from gis.alerts.suppression import InhibitedBy, Silenced
from tests.unit.alerts.made import day, found, signal

UNIT = {"cells": (), "centre": None, "radius_m": None, "key": "00004"}
DETECTORS = {"scan", "series"}


def standing(number: int = 1, **changes) -> AlertState:
    made = AlertState(
        layer_id="citizen_reports",
        rule="scan",
        stream="disaster",
        status=Status.OPEN,
        signal=signal(0),
        official=True,
        simulated=False,
        run_id=1,
        seen_at=day(0),
        expires_at=day(14),
        id=number,
    )
    return replace(made, **changes)


def unit(**changes) -> AlertState:
    return standing(2, **({"rule": "series", "signal": signal(0, **UNIT)} | changes))


def test_a_commune_is_not_notified_within_a_cluster_that_rests_on_its_records():
    assert covers(standing(), unit())
    assert Suppressions((), (standing(), unit())).why(unit()) == InhibitedBy(1)
    assert Suppressions((), (standing(), unit()), inhibit=False).why(unit()) is None


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ({"stream": "security"}, {}),
        ({"layer_id": "field_incidents"}, {}),
        ({"simulated": True}, {}),
        ({"status": Status.PENDING}, {}),
        ({"status": Status.SUPPRESSED}, {}),
        ({"status": Status.EXPIRED}, {}),
        ({"status": Status.RESOLVED}, {}),
        ({"status": Status.FALSE}, {}),
        ({"weak_days": 1}, {}),
        ({"signal": signal(0, records=())}, {}),
        ({"signal": signal(0, records=(1, 2, 3))}, {}),
        ({"signal": signal(0, records=tuple(range(100, 150)))}, {}),
        ({"signal": signal(0, tier=Tier.WATCH)}, {}),
        ({"signal": signal(0, communes=("00007",))}, {}),
        ({"rule": "many_reports"}, {}),
        ({}, {"rule": "many_reports"}),  # of the layer's file
        ({}, {"rule": "calibration_degraded"}),
        ({}, {"rule": "held_back"}),
    ],
)
def test_nothing_is_inhibited_by_an_alert_of_something_else(outer, inner):
    assert not covers(standing(**outer), unit(**inner))


SILENCE = Silence(7, None, "scan", frozenset(), "officer", "exercise", day(0), day(1))


def test_a_silence_covers_what_tells_of_the_same():
    """Of the scan's own commune; a commune that has more than the cluster is notified."""
    quiet = standing(status=Status.SUPPRESSED, resumes=Status.OPEN)
    for outer in (standing(), quiet):  # as the silence begins, and later
        silenced = Suppressions((SILENCE,), (outer, unit())).why(unit())
        assert silenced == Silenced(7, "officer", "exercise")
    more = unit(signal=signal(0, records=tuple(range(100, 150)), **UNIT))
    assert Suppressions((SILENCE,), (quiet, more)).why(more) is None
    assert Suppressions((SILENCE,), (quiet, unit()), inhibit=False).why(unit()) is None


def test_as_a_silence_ends_one_of_the_two_is_notified_again():
    quiet = standing(status=Status.SUPPRESSED, resumes=Status.OPEN)
    within = unit(status=Status.SUPPRESSED, resumes=Status.OPEN)
    ended = Suppressions((), (quiet, within))
    assert ended.why(quiet) is None and ended.why(within) == InhibitedBy(1)
    pending = replace(quiet, resumes=Status.PENDING)
    assert Suppressions((), (pending, within)).why(within) is None, "nobody was told of the other"


def test_what_is_simulated_hides_what_is_simulated():
    assert covers(standing(simulated=True), unit(simulated=True))
    assert covers(standing(), unit(simulated=True))


def test_an_alert_whose_records_went_hides_nothing_any_more():
    """Nine of its twelve were deleted: of those, the commune has the three that are left."""
    look = found(1, stream="disaster", rule="series", evidence=Evidence(frozenset(range(1, 10))))
    muting = Suppressions((), (standing(),), findings=look)
    left = signal(1, **UNIT, records=(10, 11, 12))
    assert muting.why(unit(signal=left)) == InhibitedBy(1)
    others = signal(1, **UNIT, records=(12, 13, 14, 15))
    assert muting.why(unit(signal=others)) is None
    gone = replace(look, evidence=Evidence(frozenset(range(1, 13))))
    assert replace(muting, findings=gone).why(unit(signal=left)) is None


_alerts = st.builds(
    standing,
    number=st.integers(1, 99),
    layer_id=st.sampled_from(["citizen_reports", "field_incidents"]),
    stream=st.sampled_from(["disaster", "security", ""]),
    rule=st.sampled_from(["scan", "series", "many_reports", "high_water", "held_back", "delivery"]),
    status=st.sampled_from(Status),
    simulated=st.booleans(),
    weak_days=st.integers(0, 2),
    signal=st.builds(
        lambda tier, first, n, communes, shape, key: signal(
            0, tier=tier, records=tuple(range(first, first + n)), communes=communes, key=key,
            **shape,
        ),
        tier=st.sampled_from(Tier),
        first=st.integers(1, 6),
        n=st.integers(0, 8),
        communes=st.sampled_from([(), ("00004",), ("00007",), ("00004", "00007")]),
        shape=st.sampled_from([{}, {"cells": (), "centre": None, "radius_m": None}]),
        key=st.none() | st.just("00004"),
    ),
)  # fmt: skip


@settings(max_examples=500)
@given(st.lists(_alerts, min_size=2, max_size=12))
def test_no_alert_is_ever_suppressed_by_one_of_something_else(alerts):
    alerts = [replace(one, id=n) for n, one in enumerate(alerts)]
    muting = Suppressions((), tuple(alerts))
    for inner in alerts:
        reason = muting.why(inner)
        if reason is None:
            continue
        outer = alerts[reason.alert_id]
        assert (outer.layer_id, outer.stream) == (inner.layer_id, inner.stream)
        assert {outer.rule, inner.rule} == DETECTORS
        assert outer.status in (Status.OPEN, Status.ACKNOWLEDGED)
        assert outer.weak_days == 0
        assert inner.simulated or not outer.simulated
        shared = set(inner.signal.records) & set(outer.signal.records)
        assert 2 * len(shared) > len(inner.signal.records) > 0
        assert outer.signal.tier.rank >= inner.signal.tier.rank


@given(_alerts, _alerts)
def test_the_table_is_all_there_is(outer, inner):
    alike = all(holds(outer, inner) for holds in CONDITIONS.values())
    shared = shares_most(inner.signal.records, outer.signal.records)
    assert covers(outer, inner) == (alike and shared)


def test_only_what_detectors_find_is_ever_inhibited():
    assert {inner for _, inner in INHIBITS} == {"series"}


@example(standing(), unit(), Status.EXPIRED)
@given(_alerts, _alerts, st.sampled_from(sorted(ENDS)))
def test_what_was_inhibited_is_released_when_the_other_ends_or_loses_its_evidence(
    outer, inner, end
):
    """Symmetrical at the end: nothing stays silent because of an alert that is over."""
    outer, inner = replace(outer, id=1), replace(inner, id=2)
    if not covers(outer, inner):
        return
    silent = replace(inner, status=Status.SUPPRESSED, resumes=Status.OPEN)
    over = replace(outer, status=end)
    without = replace(outer, signal=replace(outer.signal, records=()))
    for gone in ([over], [without], [replace(outer, weak_days=1)], []):
        muting = Suppressions((), (*gone, silent))
        (step,) = settle([silent], muting.why, Policy(), day(1))
        assert (step.act, step.alert.status, step.notify) == (Act.OPEN, Status.OPEN, True)
    still = Suppressions((), (outer, silent))
    assert list(settle([silent], still.why, Policy(), day(1))) == []


def test_the_page_has_a_row_for_each_condition():
    """docs/how-to/alerts.md: the table of the rules, in words."""
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "alerts.md").read_text("utf-8")
    section = page.split("## One alert within another")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert len(rows) - 2 == len(CONDITIONS) + 1  # without its head; and the shared evidence
