"""Series as people and alerts are told of them; see telling.py, which speaks of clusters."""

from dataclasses import dataclass
from typing import Any

from gis.alerts.calibration import Budget
from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Tier
from layers.definition.model import Layer, SeriesOptions
from layers.detect import findings_scan
from layers.detect.findings_scan import ScanFindings
from layers.detect.messages import series_headline, series_message
from layers.detect.methods.series import PROVINCE, SeriesResult, StreamSeries

RULE = "series"  # under which series raise alerts
STATISTICAL = {
    findings_scan.RULE: "stp_scan",
    RULE: "series",
}  # rules that share a budget → methods


def budget_of(layer: Layer) -> Budget | None:
    """How many false alerts the alarms of a layer may raise; None where it has no alarms."""
    if layer.alerts is None or layer.hotspots is None:
        return None
    return Budget(layer.id, tuple(STATISTICAL), layer.alerts.false_alerts_a_year)


@dataclass(frozen=True, slots=True)
class RatedSeries:
    """A series with its tier, None for what chance brings too often, and its words.

    `bound` is the number of records from which it is an alert.
    """

    judged: SeriesResult
    tier: Tier | None
    bound: int
    words: tuple[str, str]


@dataclass(frozen=True, slots=True)
class SeriesFindings:
    """How one run speaks of its series."""

    teller: ScanFindings
    options: SeriesOptions

    def told(self, look: StreamSeries) -> list[RatedSeries]:
        """The communes, and before them the province by what it has beyond the one that rose most,
        if that is an alert: what is wrong in one commune is not told twice.
        """
        of = {one.commune: one for one in look.judged}
        whole = of.pop(PROVINCE, None)
        communes = [self._told(one, look.size) for one in of.values()]
        if whole is None:
            return communes
        alerting = [each.judged for each in communes if each.tier in (Tier.ALERT, Tier.URGENT)]
        most = max(alerting, key=lambda one: one.rise, default=None)
        rest = whole if most is None else whole.without(most, look.size)
        return [self._told(rest, look.size), *communes]

    def _told(self, one: SeriesResult, size: int) -> RatedSeries:
        policy, least = self.teller.policy, self.options.min_count
        much = one.observed >= least
        tier = policy.tier(one.recurrence_days, one.observed, one.expected) if much else None
        bound = one.newest.bound(1 / (policy.alert_days * size), least)
        return RatedSeries(one, tier, bound, series_message(one, bound, self.teller.names))

    def row(self, told: RatedSeries) -> dict[str, Any]:
        """The series as it is stored."""
        one = told.judged
        return {
            "stream": one.stream,
            "commune": one.commune or None,
            "tier": told.tier,
            "days": one.days,
            "since": self.teller.since(one),
            "until": self.teller.until,
            "observed": one.observed,
            "expected": one.expected,
            "bound": told.bound,
            "p": one.p,
            "recurrence_days": one.recurrence_days,
            "records": one.records,
            "explanation_vi": told.words[0],
            "explanation_en": told.words[1],
        }

    def findings(self, look: StreamSeries, run_id: int | None = None) -> Findings:
        """One look at the series of one stream, as the alerts take it."""
        told = [(each, each.tier) for each in self.told(look)]
        signals = [self._signal(each, tier) for each, tier in told if tier is not None]
        return self.teller.look(RULE, look, signals, run_id)

    def _signal(self, told: RatedSeries, tier: Tier) -> Signal:
        one = told.judged
        headline = series_headline(self.teller.layer, one, self.teller.names)
        return Signal(
            tier=tier,
            observed=float(one.observed),
            since=self.teller.since(one),
            until=self.teller.until,
            headline_vi=headline[0],
            headline_en=headline[1],
            detail_vi=told.words[0],
            detail_en=told.words[1],
            communes=(one.commune,) if one.commune != PROVINCE else (),
            expected=one.expected,
            p=one.p,
            recurrence_days=one.recurrence_days,
            records=one.records,
            measures={"days": float(one.days), "method": self.options.detector},
            key=one.commune or "province",
            simulated=self.teller.rests_on_simulated(one.records),
        )
