"""Findings from series; findings_scan.py has those from clusters."""

from dataclasses import dataclass
from typing import Any

from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import Tier
from layers.definition.model import SeriesOptions
from layers.detect.commune_series import PROVINCE, SeriesResult, StreamSeries
from layers.detect.findings_scan import ScanFindings
from layers.detect.messages import series_headline, series_message

RULE = "series"  # under which series raise alerts


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
    """Findings and rows from the series of one run; `scan_findings` has what scans share."""

    scan_findings: ScanFindings
    options: SeriesOptions

    def rate(self, stream: StreamSeries) -> list[RatedSeries]:
        """The series of a stream, each with its tier: the province first, then the communes.

        The province is judged by what it has beyond the commune that rose most, if that is an
        alert: one rise raises one alert.
        """
        by_commune = {result.commune: result for result in stream.judged}
        province = by_commune.pop(PROVINCE, None)
        communes = [self._rate(result, stream.tries) for result in by_commune.values()]
        if province is None:
            return communes
        alerting = [each.judged for each in communes if each.tier in (Tier.ALERT, Tier.URGENT)]
        most = max(alerting, key=lambda result: result.rise, default=None)
        rest = province if most is None else province.without(most, stream.tries)
        return [self._rate(rest, stream.tries), *communes]

    def _rate(self, result: SeriesResult, tries: float) -> RatedSeries:
        """The tier of a series; none for fewer records than `min_count`."""
        policy, least = self.scan_findings.policy, self.options.min_count
        tier = policy.tier(result.recurrence_days, result.observed, result.expected)
        bound = result.newest.bound(1 / (policy.alert_days * tries), least)
        return RatedSeries(
            judged=result,
            tier=tier if result.observed >= least else None,
            bound=bound,
            words=series_message(result, bound, self.scan_findings.names),
        )

    def row(self, rated: RatedSeries) -> dict[str, Any]:
        """The series as it is stored."""
        result = rated.judged
        return {
            "stream": result.stream,
            "commune": result.commune or None,
            "tier": rated.tier,
            "days": result.days,
            "since": self.scan_findings.since(result),
            "until": self.scan_findings.until,
            "observed": result.observed,
            "expected": result.expected,
            "bound": rated.bound,
            "p": result.p,
            "recurrence_days": result.recurrence_days,
            "records": result.records,
            "explanation_vi": rated.words[0],
            "explanation_en": rated.words[1],
        }

    def findings(self, stream: StreamSeries, run_id: int | None = None) -> Findings:
        """The findings of the series of one stream, as the alerts take them."""
        signals = [
            self._signal(rated, rated.tier) for rated in self.rate(stream) if rated.tier is not None
        ]
        return self.scan_findings.stream_findings(RULE, stream, signals, run_id)

    def _signal(self, rated: RatedSeries, tier: Tier) -> Signal:
        result = rated.judged
        told = self.scan_findings.corroboration(result.records)
        marked = self.scan_findings.share_simulated(result.records)
        headline = series_headline(self.scan_findings.layer, result, self.scan_findings.names)
        return Signal(
            tier=tier,
            observed=float(result.observed),
            since=self.scan_findings.since(result),
            until=self.scan_findings.until,
            headline_vi=headline[0],
            headline_en=headline[1],
            detail_vi=rated.words[0] + told[0] + marked[0],
            detail_en=rated.words[1] + told[1] + marked[1],
            communes=(result.commune,) if result.commune != PROVINCE else (),
            expected=result.expected,
            p=result.p,
            recurrence_days=result.recurrence_days,
            records=result.records,
            measures={"days": float(result.days), "method": self.options.detector},
            key=result.commune or "province",
            simulated=self.scan_findings.rests_on_simulated(result.records),
        )
