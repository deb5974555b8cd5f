"""Rules of the lifecycle: one evaluation changes the alerts of its stream. Pure, for replays.

An alert is a value, `AlertState`; a decision is a `Step`: the value after it and its event. Source
of the rules: Alertmanager's notions of pending, silence and inhibition, on the clusters of a
prospective scan.

Evidence that shrinks because records were deleted or corrected is judged at once: the alert has
the new numbers, a lower tier or an end, and its recipients are notified. It is never news: a
signal that exists only because other records are gone opens without a notification.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from gis.alerts.findings import Findings, Signal
from gis.alerts.identity import jaccard, same_place, same_time, shares_most
from gis.alerts.policy import Policy, Tier
from gis.alerts.states import ENDS, LIVE, NOT_NOTIFIED, Act, Status
from gis.alerts.suppression import Reason
from gis.clock import HERE


@dataclass(frozen=True, slots=True)
class LastNotification:
    """The content of the last notification, against which news is measured."""

    tier: Tier
    observed: float
    llr: float | None
    communes: frozenset[str]
    records: frozenset[int]

    @classmethod
    def of(cls, signal: Signal) -> "LastNotification":
        communes, records = frozenset(signal.communes), frozenset(signal.records)
        return cls(signal.tier, signal.observed, signal.llr, communes, records)


@dataclass(frozen=True, slots=True)
class AlertState:
    """An alert as it stands; `id` is None until it is stored."""

    layer_id: str
    rule: str
    stream: str
    status: Status
    signal: Signal  # its latest evidence
    official: bool
    simulated: bool
    run_id: int | None
    seen_at: datetime  # the end of the last evaluation with a signal of it
    expires_at: datetime
    resumes: Status | None = None  # of a suppressed one: what it will be again
    last_notification: LastNotification | None = None
    weak_days: int = 0
    weak_on: date | None = None
    escalate_at: datetime | None = None
    gone: bool = False  # its evidence went away after a person had closed it
    within_id: int | None = None  # the situation that it is part of
    id: int | None = None

    @property
    def name(self) -> str:
        return "an alert" if self.id is None else f"alert {self.id}"


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: the alert after it and its event; no act: no event."""

    alert: AlertState
    act: Act | None
    why: str = ""
    notify: bool = False  # recipients are notified
    reason: Reason | None = None  # of one that suppresses it


# The reason for which an alert is suppressed now; None: it is not.
SuppressionReason = Callable[[AlertState], Reason | None]


def decide(
    known: Sequence[AlertState],
    findings: Findings,
    reason_of: SuppressionReason,
    now: datetime,
) -> list[Step]:
    """The steps that an evaluation leads to. `known` are the alerts of its stream: live ones, and
    those that ended lately.
    """
    evaluation = _StreamEvaluation(findings, reason_of, now, dict(enumerate(known)))
    for signal in sorted(findings.signals, key=_strength, reverse=True):
        evaluation.take(signal)
    evaluation.close()
    return evaluation.steps


def _simulated(findings: Findings, signal: Signal) -> bool:
    return findings.simulated if signal.simulated is None else signal.simulated


def local_day(moment: datetime) -> date:
    return moment.astimezone(HERE).date()


def is_news(last_notification: LastNotification, signal: Signal, policy: Policy) -> bool:
    """True if a signal deserves another notification: at least one new incident, and a higher tier,
    a likelihood ratio risen by the policy's step, or another unit.
    """
    more = bool(set(signal.records) - last_notification.records)
    # What has a key and rests on the same record, as a station does, has grown by its number.
    has_grown = signal.observed > last_notification.observed
    if not more and not (has_grown and (signal.key is not None or not signal.records)):
        return False
    risen = (signal.llr or 0.0) - (last_notification.llr or 0.0) >= policy.notify_llr
    wider = bool(set(signal.communes) - last_notification.communes)
    return signal.tier.rank > last_notification.tier.rank or risen or wider


def suppress(alert: AlertState, reason: Reason) -> Step:
    quiet = replace(alert, status=Status.SUPPRESSED, resumes=alert.status, escalate_at=None)
    return Step(quiet, Act.SUPPRESSED, str(reason), reason=reason)


def release(alert: AlertState, policy: Policy, now: datetime, *, quiet: bool = False) -> Step:
    """Back to its former state; an open one is notified, unless it is no news (`quiet`)."""
    again = alert.resumes or Status.OPEN
    back = replace(alert, status=again, resumes=None)
    if again is Status.OPEN and quiet:
        return Step(_known(back), Act.OPEN, "no longer suppressed; fewer records, no news")
    if again is Status.OPEN:
        return Step(_notified(back, policy, now), Act.OPEN, "no longer suppressed", notify=True)
    return Step(back, Act(again.value), "no longer suppressed")


def expire(alert: AlertState, why: str) -> Step:
    ended = replace(alert, status=Status.EXPIRED, resumes=None, escalate_at=None)
    return Step(ended, Act.EXPIRED, why, notify=alert.last_notification is not None)


def correct(alert: AlertState, gone: int) -> AlertState:
    """The alert with its headlines and count corrected by the number of records that are gone."""
    signal, left = alert.signal, len(alert.signal.records) - gone
    vi, en = f"đính chính: còn {left} bản ghi", f"corrected: {left} records left"
    counts = signal.observed <= len(signal.records)  # and is no level of a sensor
    less = replace(
        signal,
        observed=min(signal.observed, float(left)) if counts else signal.observed,
        headline_vi=f"{signal.headline_vi} ({vi})",
        headline_en=f"{signal.headline_en} ({en})",
    )
    return replace(alert, signal=less)


def _known(alert: AlertState) -> AlertState:
    """The alert as if notified: news is measured against its present signal."""
    return replace(alert, last_notification=LastNotification.of(alert.signal), escalate_at=None)


def _strength(signal: Signal) -> tuple[int, float, float]:
    return signal.tier.rank, signal.llr or 0.0, signal.observed


def _notified(alert: AlertState, policy: Policy, now: datetime) -> AlertState:
    """The alert as notified now."""
    # News does not put off an escalation that waits: the faster it grows, the more it is due.
    wait = policy.escalates_after(alert.signal.tier) if alert.status is Status.OPEN else None
    due = None if wait is None else min(now + wait, alert.escalate_at or now + wait)
    return replace(alert, last_notification=LastNotification.of(alert.signal), escalate_at=due)


@dataclass(slots=True)
class _StreamEvaluation:
    """One evaluation at work; alerts are numbered by position, those that it opens at the end."""

    findings: Findings
    reason_of: SuppressionReason
    now: datetime
    alerts: dict[int, AlertState]
    touched: set[int] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)

    def take(self, signal: Signal) -> None:
        """One signal: more evidence of an alert, or of one that just ended, or a new alert."""
        policy = self.findings.policy
        live = self._live()
        here = [n for n in live if same_place(self.alerts[n].signal, signal, policy)]
        here = here or [n for n in live if self._is_rest_of(self.alerts[n].signal, signal)]
        if self.touched.intersection(here):
            return  # a weaker part of a signal of this evaluation
        same = [n for n in here if signal.key or same_time(self.alerts[n].signal, signal, policy)]
        best = max(same, key=lambda n: self._fit(n, signal), default=None)
        for n in here:
            if n != best:
                self._do(n, expire(self.alerts[n], "goes on in another alert"))
        if best is not None:
            self._do(best, *self._update(self.alerts[best], signal))
        elif (closed := self._known_end(signal)) is not None:
            self._do(closed, self._seen_again(self.alerts[closed]))
        else:
            self._open(signal)

    def close(self) -> None:
        """Alerts without a signal had a quiet evaluation."""
        for n in self._live():
            if n not in self.touched:
                self._do(n, *self._quiet(self.alerts[n]))
        for n, alert in self.alerts.items():
            if (
                n not in self.touched
                and _is_watched(alert)
                and self.findings.until >= alert.expires_at
            ):
                self.steps.append(Step(replace(alert, gone=True), None))

    def _live(self) -> list[int]:
        return [n for n, alert in self.alerts.items() if alert.status in LIVE]

    def _do(self, n: int, *steps: Step) -> None:
        self.touched.add(n)
        for step in steps:
            self.alerts[n] = step.alert
            self.steps.append(step)

    def _fit(self, n: int, signal: Signal) -> tuple[bool, float, int]:
        """Rank of an alert for a signal: acknowledged first, then overlap, then age."""
        alert = self.alerts[n]
        overlap = jaccard(alert.signal.cells, signal.cells)
        return alert.status is Status.ACKNOWLEDGED, overlap, -n

    def _is_rest_of(self, before: Signal, signal: Signal) -> bool:
        """True if a circle is the rest of another after deletions, wherever its centre is now."""
        evidence = self.findings.evidence
        if evidence is None or signal.key is not None or not evidence.is_less(signal.records):
            return False
        return shares_most(signal.records, before.records)

    def _known_end(self, signal: Signal) -> int | None:
        """The ended alert of which the signal is a rest, without news."""
        policy = self.findings.policy
        ended = [n for n, alert in self.alerts.items() if alert.status in ENDS and not alert.gone]
        known = (
            n
            for n in ended
            if same_place(self.alerts[n].signal, signal, policy)
            and same_time(self.alerts[n].signal, signal, policy)
            and _leftover(self.alerts[n], signal, policy)
        )
        return next(known, None)

    def _seen_again(self, closed: AlertState) -> Step:
        seen, until = self.findings.until, self.findings.until + self.findings.policy.quiet
        return Step(replace(closed, seen_at=seen, expires_at=until), None)

    def _open(self, signal: Signal) -> None:
        findings = self.findings
        fresh = AlertState(
            layer_id=findings.layer_id,
            rule=findings.rule,
            stream=findings.stream,
            status=Status.PENDING,
            signal=signal,
            official=findings.official,
            simulated=_simulated(findings, signal),
            run_id=findings.run_id,
            seen_at=findings.until,
            expires_at=findings.until + findings.policy.quiet,
        )
        self._do(len(self.alerts), self._first(fresh))

    def _first(self, alert: AlertState) -> Step:
        if not self._held(alert.signal):
            return Step(alert, Act.PENDING, self._because())
        opened = replace(alert, status=Status.OPEN)
        reason = self.reason_of(opened)
        if reason:
            return suppress(opened, reason)
        evidence = self.findings.evidence
        if evidence is not None and evidence.is_less(alert.signal.records):
            return Step(_known(opened), Act.OPEN, "fewer records than before, no news")
        return Step(self._notify(opened), Act.OPEN, self._because(), notify=True)

    def _update(self, alert: AlertState, signal: Signal) -> Iterator[Step]:
        findings = self.findings
        before = alert
        alert = replace(
            alert,
            signal=signal,
            official=findings.official,
            simulated=_simulated(findings, signal),
            run_id=findings.run_id,
        )
        if self._gone(before.signal):
            seen, until = findings.until, findings.until + findings.policy.quiet
            alert = replace(alert, seen_at=seen, expires_at=until, weak_days=0, weak_on=None)
            yield self._corrected(before, alert)
            return
        peak = alert.last_notification.tier if alert.last_notification else signal.tier
        if not findings.policy.keeps(peak, signal.recurrence_days):
            yield from self._weaker(alert)
            return
        seen, until = findings.until, findings.until + findings.policy.quiet
        alert = replace(alert, seen_at=seen, expires_at=until, weak_days=0, weak_on=None)
        yield self._evidence(before, alert)

    def _evidence(self, before: AlertState, alert: AlertState) -> Step:
        """The step of new evidence, with a notification if it is news."""
        if alert.status is Status.PENDING and self._held(alert.signal):
            return self._first(alert)
        if alert.resumes is Status.PENDING and self._held(alert.signal):
            alert = replace(alert, resumes=Status.OPEN)
        last_notification, because = alert.last_notification, self._because()
        if (
            last_notification
            and alert.status not in NOT_NOTIFIED
            and is_news(last_notification, alert.signal, self.findings.policy)
        ):
            return Step(self._notify(alert), Act.NOTIFY, because, notify=True)
        changed = _matter(before.signal) != _matter(alert.signal)
        return Step(alert, Act.UPDATE if changed else None, because)

    def _corrected(self, before: AlertState, alert: AlertState) -> Step:
        """The step of a correction, with a notification if the tier or half the count is lost."""
        last_notification, tier = alert.last_notification, alert.signal.tier
        less = last_notification is not None and (
            tier.rank < last_notification.tier.rank
            or 2 * alert.signal.observed <= last_notification.observed
        )
        if last_notification is None or not less or alert.status in NOT_NOTIFIED:
            return self._evidence(before, alert)
        wait = self.findings.policy.escalates_after(tier)
        due = None if wait is None or alert.escalate_at is None else alert.escalate_at
        if due is not None and wait is not None and tier.rank < last_notification.tier.rank:
            due = max(due, self.now + wait)
        lower = replace(alert, last_notification=LastNotification.of(alert.signal), escalate_at=due)
        return Step(lower, Act.CORRECTED, self._because(), notify=True)

    def _gone(self, signal: Signal) -> int:
        """The number of records of an alert that are deleted or no longer count."""
        evidence = self.findings.evidence
        return 0 if evidence is None else len(evidence.gone.intersection(signal.records))

    def _quiet(self, alert: AlertState) -> Iterator[Step]:
        if alert.status is Status.PENDING:
            yield expire(alert, "it did not hold")
        elif gone := self._gone(alert.signal):
            left = len(alert.signal.records) - gone
            yield expire(correct(alert, gone), f"corrected: {left} of its records are left")
        elif self.findings.until >= alert.expires_at:
            yield expire(alert, "quiet")
        else:
            yield from self._weaker(alert)

    def _weaker(self, alert: AlertState) -> Iterator[Step]:
        """A day of weak evidence, counted once; enough of them in a row end the alert."""
        today, limit = local_day(self.findings.until), self.findings.policy.close_days
        if limit is None or alert.weak_on == today:
            yield Step(alert, None)
            return
        alert = replace(alert, weak_days=alert.weak_days + 1, weak_on=today)
        if alert.weak_days >= limit:
            yield expire(alert, f"weak for {alert.weak_days} days")
        else:
            yield Step(alert, None)

    def _notify(self, alert: AlertState) -> AlertState:
        return _notified(alert, self.findings.policy, self.now)

    def _held(self, signal: Signal) -> bool:
        return signal.until - signal.since >= self.findings.policy.hold

    def _because(self) -> str:
        return "" if self.findings.run_id is None else f"run {self.findings.run_id}"


def _matter(signal: Signal) -> tuple[object, ...]:
    """The parts of a signal whose change is an event."""
    return signal.tier, signal.observed, set(signal.cells), signal.communes, set(signal.records)


def _leftover(ended: AlertState, signal: Signal, policy: Policy) -> bool:
    """True if a signal adds nothing to an ended alert: closed by a person, a signal without news;
    expired, one of tier watch.
    """
    if ended.status is Status.EXPIRED:
        return signal.key is None and signal.tier is Tier.WATCH
    if _is_much_worse(ended.signal, signal):
        return False
    return not is_news(ended.last_notification or LastNotification.of(ended.signal), signal, policy)


def _is_much_worse(closed: Signal, signal: Signal) -> bool:
    """True if it is twice as far beyond its threshold as when a person closed it."""
    if closed.beyond is None or signal.beyond is None:
        return False
    return signal.beyond > 0 and signal.beyond >= 2 * closed.beyond


def _is_watched(alert: AlertState) -> bool:
    """True if a person closed it while its evidence held: the end of that must be known."""
    closed = alert.status in (Status.RESOLVED, Status.FALSE)
    return closed and alert.signal.key is not None and not alert.gone


def settle(
    alerts: Iterable[AlertState],
    reason_of: SuppressionReason,
    policy: Policy,
    now: datetime,
    *,
    waits: Callable[[AlertState], bool] = lambda alert: False,
    quiet: Callable[[AlertState], bool] = lambda alert: False,
) -> Iterator[Step]:
    """Suppress what is silenced or inhibited by now, and release what no longer is.

    `quiet` ones are released without a notification; those that wait for an evaluation of their
    own, since their records changed (`waits`), are not released yet.
    """
    for alert in alerts:
        reason = reason_of(alert) if alert.status in LIVE else None
        if reason and alert.status is not Status.SUPPRESSED:
            yield suppress(alert, reason)
        elif alert.status is Status.SUPPRESSED and not reason and not waits(alert):
            yield release(alert, policy, now, quiet=quiet(alert))
