"""The lifecycle of alerts by evidence alone: each rule by hand, then laws over any evaluations."""

from dataclasses import replace
from datetime import timedelta
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.alerts.engine import LastNotification, is_news
from gis.alerts.findings import Findings
from gis.alerts.identity import same_place
from gis.alerts.policy import Policy, Tier
from gis.alerts.replay import ReplayedAlerts
from gis.alerts.states import ENDS, MOVES, Act, Status
from tests.unit.alerts.made import POLICY, disk, found, signal


def acts(ledger: ReplayedAlerts, number: int = 1) -> list[Act]:
    return [told.act for told in ledger.alerts[number].history]


def replayed(*looks) -> ReplayedAlerts:
    ledger = ReplayedAlerts()
    for look in looks:
        ledger.apply(look)
    return ledger


def ended(ledger: ReplayedAlerts, status: Status, number: int = 1) -> ReplayedAlerts:
    """The alert as a person closed it."""
    past = ledger.alerts[number]
    past.alert = replace(past.alert, status=status, resumes=None)
    return ledger


@pytest.mark.parametrize(
    ("recurrence_days", "observed", "expected", "tier"),
    [
        (29, 9, 1, None),
        (30, 9, 1, Tier.WATCH),
        (91, 9, 1, Tier.WATCH),
        (91.25, 9, 1, Tier.ALERT),  # 365 · 1 stream / 4 a year
        (912.5, 5, 2.5, Tier.URGENT),
        (912.5, 4, 1, Tier.ALERT),  # O below 5
        (912.5, 5, 2.6, Tier.ALERT),  # O/E below 2
    ],
)
def test_tiers_follow_from_the_budget(recurrence_days, observed, expected, tier):
    assert POLICY.tier(recurrence_days, observed, expected) == tier


def test_news_does_not_put_off_an_escalation():
    """However often an outbreak that nobody takes on grows, its head is woken in time."""

    def looked(n: float) -> Findings:
        grown = tuple(range(1, 13 + int(n * 1000)))
        return found(n, signal(n, llr=20.0 + 400 * n, records=grown, observed=len(grown)))

    ledger = replayed(looked(0))
    due = ledger.alerts[1].alert.escalate_at
    assert due is not None
    for n in (0.01, 0.02, 0.03):
        ledger.apply(looked(n))
        assert acts(ledger)[-1] is Act.NOTIFY
        assert ledger.alerts[1].alert.escalate_at == due


def test_what_grows_urgent_escalates_sooner():
    ledger = replayed(found(0, signal(0)))
    rare = signal(0.01, tier=Tier.URGENT, records=tuple(range(1, 15)), observed=14)
    ledger.apply(found(0.01, rare))
    assert ledger.alerts[1].alert.escalate_at == found(0.01).until + timedelta(minutes=15)


def test_more_streams_share_the_budget():
    assert Policy(streams=3, false_alerts_a_year=1).alert_days == 1095


def test_a_signal_opens_an_alert_that_is_notified():
    ledger = replayed(found(0, signal(0)))
    (told,) = ledger.alerts[1].history
    assert (told.act, told.notify) == (Act.OPEN, True)


def test_the_same_evidence_again_is_no_step():
    ledger = replayed(found(0, signal(0)), found(1, signal(0)))
    assert acts(ledger) == [Act.OPEN]


def test_a_record_more_is_in_the_history_alone():
    more = signal(1, observed=13, records=tuple(range(1, 14)))
    ledger = replayed(found(0, signal(0)), found(1, more))
    assert [(t.act, t.notify) for t in ledger.alerts[1].history][1:] == [(Act.UPDATE, False)]


@pytest.mark.parametrize(
    ("changes", "news"),
    [
        ({"llr": 22.0}, True),
        ({"llr": 21.9}, False),
        ({"tier": Tier.URGENT}, True),
        ({"communes": ("00004", "00007")}, True),
        ({"llr": 30.0, "records": tuple(range(1, 13))}, False),  # no new incident
    ],
)
def test_a_new_incident_that_makes_it_worse_is_notified_again(changes, news):
    first = signal(0)
    later = signal(1, **({"records": tuple(range(1, 14))} | changes))
    ledger = replayed(found(0, first), found(1, later))
    assert [told.notify for told in ledger.alerts[1].history].count(True) == 1 + news


def test_a_tier_that_falls_and_rises_again_is_no_news():
    urgent = signal(0, tier=Tier.URGENT)
    fallen = signal(1, tier=Tier.ALERT, records=tuple(range(2, 15)))
    again = signal(2, tier=Tier.URGENT, records=tuple(range(3, 17)))
    ledger = replayed(found(0, urgent), found(1, fallen), found(2, again))
    assert sum(told.notify for told in ledger.alerts[1].history) == 1


@pytest.mark.parametrize("lon", [104.155, 104.158])
def test_a_cluster_within_the_circle_is_the_same_alert(lon):
    ledger = replayed(found(0, signal(0)), found(1, signal(1, lon=lon, cells=disk(lon))))
    assert len(ledger.alerts) == 1


def test_a_cluster_beyond_the_circle_is_another_alert():
    assert len(replayed(found(0, signal(0)), found(1, signal(1, lon=104.25))).alerts) == 2


def test_hexes_alone_tell_the_same_alert_from_three_tenths_on():
    seven, three = disk(), disk()[:3]  # 3 of 7 is .43; 2 of 7 is .29
    bare = replace(signal(0), centre=None, radius_m=None)
    assert same_place(bare, replace(bare, cells=three), POLICY)
    assert not same_place(bare, replace(bare, cells=seven[:2]), POLICY)


def test_after_a_gap_it_is_a_new_alert_and_the_old_one_ends():
    later = signal(9.1)  # since day 6.1, the first until day 0
    ledger = replayed(found(0, signal(0)), found(9.1, later))
    assert acts(ledger) == [Act.OPEN, Act.EXPIRED]
    assert acts(ledger, 2) == [Act.OPEN]
    assert len(replayed(found(0, signal(0)), found(6, signal(6))).alerts) == 1


def test_three_days_without_evidence_end_it_and_evaluations_of_one_day_count_once():
    ledger = replayed(found(0, signal(0)), *(found(1 + n / 10) for n in range(5)), found(2))
    assert ledger.live()
    ledger.apply(found(3))
    assert acts(ledger) == [Act.OPEN, Act.EXPIRED]


def test_evidence_below_a_third_of_the_threshold_counts_as_none():
    weak = [found(n, signal(n, recurrence_days=30.4, tier=Tier.WATCH)) for n in (1, 2, 3)]
    strong = [found(n, signal(n, recurrence_days=30.5, tier=Tier.WATCH)) for n in (1, 2, 3)]
    assert acts(replayed(found(0, signal(0)), *weak))[-1] is Act.EXPIRED
    assert replayed(found(0, signal(0)), *strong).live()


def test_one_strong_day_begins_the_count_anew():
    looks = [found(0, signal(0)), found(1), found(2), found(3, signal(3)), found(4), found(5)]
    assert replayed(*looks).live()


def test_fourteen_quiet_days_end_it_where_days_do_not():
    policy = replace(POLICY, close_days=None)
    first = found(0, signal(0), policy=policy)
    assert replayed(first, found(13.9, policy=policy)).live()
    assert not replayed(first, found(14, policy=policy)).live()


def test_evidence_that_must_hold_is_pending_until_then():
    policy = replace(POLICY, hold=timedelta(hours=1))
    short = signal(0, since=signal(0).until - timedelta(minutes=30))
    ledger = replayed(found(0, short, policy=policy))
    assert acts(ledger) == [Act.PENDING]
    ledger.apply(found(0.1, replace(short, until=found(0.1).until), policy=policy))
    assert acts(ledger) == [Act.PENDING, Act.OPEN]


def test_evidence_that_does_not_hold_is_never_notified():
    policy = replace(POLICY, hold=timedelta(days=9))
    ledger = replayed(found(0, signal(0), policy=policy), found(1, policy=policy))
    assert acts(ledger) == [Act.PENDING, Act.EXPIRED]
    assert not any(told.notify for told in ledger.alerts[1].history)


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.FALSE])
def test_what_a_person_closed_stays_quiet_until_there_is_news(status):
    ledger = ended(replayed(found(0, signal(0))), status)
    ledger.apply(found(1, signal(1, observed=13, records=tuple(range(1, 14)))))
    assert len(ledger.alerts) == 1
    ledger.apply(found(2, signal(2, llr=22.5, records=tuple(range(1, 15)))))
    assert acts(ledger, 2) == [Act.OPEN]


def level(n: float, beyond: float | None, last: int = 13) -> Findings:
    """A look at a sensor that is so far beyond its threshold since day 0; a reading each time."""
    reading = signal(n, since=signal(0).since, llr=None, recurrence_days=None, key="S1")
    reading = replace(reading, beyond=beyond, observed=3.5 + (beyond or 0), records=(last,))
    return found(n, reading, rule="level", policy=RULED)


def level_gone(n: float) -> Findings:
    return found(n, rule="level", policy=RULED)


RULED = replace(POLICY, same_gap=timedelta(0), close_days=None, quiet=timedelta(minutes=15))


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.FALSE])
@pytest.mark.parametrize(("beyond", "told"), [(0.39, False), (0.4, True), (None, False)])
def test_what_a_person_closed_is_notified_again_twice_as_far_beyond_its_threshold(
    status, beyond, told
):
    ledger = ended(replayed(level(0, 0.1), level(0.1, 0.2, 14)), status)
    ledger.apply(level(0.2, beyond, 15))
    assert len(ledger.alerts) == 1 + told


def test_a_tier_worse_is_notified_again_after_a_person_closed_it():
    ledger = ended(replayed(level(0, 0.2)), Status.RESOLVED)
    worse = level(0.1, 0.21, 14)
    urgent = replace(worse.signals[0], tier=Tier.URGENT)
    ledger.apply(replace(worse, signals=(urgent,)))
    assert acts(ledger, 2) == [Act.OPEN]


def test_a_threshold_crossed_again_after_a_person_closed_it_is_notified_again():
    """By the time that ends alerts too: a dip of some minutes is none."""
    ledger = ended(replayed(level(0, 0.2)), Status.RESOLVED)
    minute = 1 / 1440
    for look in (level(10 * minute, 0.2, 14), level_gone(20 * minute), level(21 * minute, 0.2, 15)):
        ledger.apply(look)
    assert len(ledger.alerts) == 1
    ledger.apply(level_gone(36 * minute))
    ledger.apply(level(37 * minute, 0.1, 16))
    assert acts(ledger, 2) == [Act.OPEN]


def test_what_closed_itself_is_not_reopened_to_be_watched():
    closed = [found(0, signal(0)), found(1), found(2), found(3)]
    watched = signal(4, tier=Tier.WATCH, recurrence_days=40)
    assert len(replayed(*closed, found(4, watched)).alerts) == 1
    assert len(replayed(*closed, found(4, signal(4))).alerts) == 2


def test_two_parts_of_one_cluster_are_one_alert():
    strong, part = signal(0, llr=30.0), signal(0, lon=104.155)
    ledger = replayed(found(0, part, strong))
    assert [past.alert.signal.llr for past in ledger.alerts.values()] == [30.0]


def test_clusters_that_grow_together_become_one_alert():
    apart = found(0, signal(0, lon=104.10), signal(0, lon=104.20))
    both = signal(1, lon=104.15, radius_m=9000)
    ledger = replayed(apart, found(1, both))
    assert [past.alert.status for past in ledger.alerts.values()] == [Status.OPEN, Status.EXPIRED]
    assert ledger.alerts[2].history[-1].why == "goes on in another alert"


def test_a_unit_is_not_notified_while_a_cluster_covers_it():
    unit = replace(signal(0), cells=(), centre=None, radius_m=None)
    scan, series = found(0, signal(0)), found(0, unit, rule="series")
    ledger = replayed(scan, series)
    assert acts(ledger, 2) == [Act.SUPPRESSED]
    for n in (1, 2, 3):
        ledger.apply(found(n))
    assert acts(ledger, 1)[-1] is Act.EXPIRED
    ledger.apply(found(3, unit, rule="series"))
    assert acts(ledger, 2) == [Act.SUPPRESSED, Act.OPEN]


@pytest.mark.parametrize(
    "changes", [{"communes": ("00001",)}, {"tier": Tier.WATCH}, {"centre": None, "radius_m": None}]
)
def test_a_unit_is_notified_where_no_cluster_as_grave_covers_it(changes):
    unit = replace(signal(0), cells=(), centre=None, radius_m=None)
    ledger = replayed(found(0, signal(0, **changes)), found(0, unit, rule="series"))
    assert acts(ledger, 2) == [Act.OPEN]


def test_an_evaluation_of_the_past_changes_nothing():
    ledger = replayed(found(5, signal(5)))
    assert ledger.apply(found(4, signal(4, lon=104.3))) == []
    assert ledger.apply(found(1)) == []


def test_keys_tell_sensors_apart_that_stand_together():
    one, other = signal(0, key="S1"), signal(0, key="S2")
    assert len(replayed(found(0, one, other), found(1, one, other)).alerts) == 2


_signals = st.builds(
    lambda n, lon, tier, llr, last: signal(
        n,
        lon=lon,
        tier=tier,
        llr=llr,
        recurrence_days={Tier.WATCH: 31.0, Tier.ALERT: 200.0, Tier.URGENT: 2000.0}[tier],
        records=tuple(range(last)),
        observed=float(last),
    ),
    n=st.integers(0, 30),
    lon=st.sampled_from([104.10, 104.105, 104.12, 104.15, 104.16, 104.25]),
    tier=st.sampled_from(Tier),
    llr=st.floats(5, 40),
    last=st.integers(3, 20),
)
_looks = st.lists(
    st.tuples(st.integers(0, 30), st.lists(_signals, max_size=4), st.booleans()), max_size=12
)


@settings(deadline=None, max_examples=150)
@given(_looks)
def test_evidence_in_any_order_leaves_no_two_live_alerts_of_one_thing(looks):
    ledger = ReplayedAlerts()
    for n, signals, reverse in looks:
        ordered = signals[::-1] if reverse else signals
        ledger.apply(found(n, *ordered))
        for one, other in combinations(ledger.live(), 2):
            assert not same_place(one.signal, other.signal, POLICY)


@settings(deadline=None, max_examples=150)
@given(_looks, st.lists(st.sampled_from(Status), max_size=12))
def test_every_step_is_legal_and_the_history_leads_to_the_state(looks, persons):
    ledger = ReplayedAlerts()
    for (n, signals, _), said in zip(looks, [*persons, *[None] * len(looks)], strict=False):
        ledger.apply(found(n, *signals))
        for number, past in ledger.alerts.items():
            if said in (Status.RESOLVED, Status.FALSE) and past.alert.status not in ENDS:
                ended(ledger, said, number)
                past.history.append(replace(past.history[-1], act=Act(said.value)))
    for past in ledger.alerts.values():
        told = [Status(t.act.value) for t in past.history if t.act.value in set(Status)]
        assert told[-1] is past.alert.status
        assert all(after in MOVES[before] for before, after in pairwise(told))
        assert all(not t.notify for t in past.history if t.act is Act.UPDATE)


@settings(deadline=None)
@given(_signals, _signals)
def test_nothing_is_news_against_itself_and_identity_is_symmetric(one, other):
    assert not is_news(LastNotification.of(one), one, POLICY)
    assert same_place(one, other, POLICY) == same_place(other, one, POLICY)
