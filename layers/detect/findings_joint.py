"""Findings of the joint scan: situations of several streams, with the numbers of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gis.alerts.findings import Evidence, Findings, Signal
from gis.alerts.gathering import JOINT, SITUATION
from gis.alerts.policy import Tier
from gis.text import number_en, number_vi
from layers.definition.model import Layer, LocalizedText
from layers.detect.findings_scan import RatedCluster, ScanFindings
from layers.detect.joint import JointCluster, JointShare
from layers.detect.messages import days_en, reports_en, subject_of
from layers.detect.scan import StreamScan

_NAMED = 3  # communes in the headline


@dataclass(frozen=True, slots=True)
class JointFindings:
    """Findings from clusters of several streams; `others`: layers that are judged too, by id."""

    scan_findings: ScanFindings
    others: Mapping[str, Layer]

    def findings(
        self, clusters: Sequence[JointCluster], run_id: int, evidence: Evidence | None
    ) -> Findings:
        """The findings of one evaluation; watches raise nothing: a situation is never a maybe."""
        scan = StreamScan("", 0, True, tuple(one.cluster for one in clusters))
        signals = [
            self._signal(one, rated, rated.tier)
            for one, rated in zip(clusters, self.scan_findings.rate(scan), strict=True)
            if rated.tier in (Tier.ALERT, Tier.URGENT)
        ]
        made = self.scan_findings.stream_findings(JOINT, scan, signals, run_id)
        return replace(made, evidence=evidence)

    def _signal(self, joint: JointCluster, rated: RatedCluster, tier: Tier) -> Signal:
        cluster, findings = joint.cluster, self.scan_findings
        signal = findings.cluster_signal(rated, tier)
        subjects = [self._subject(one) for one in joint.shares]
        names = [findings.names.get(code, code) for code, _ in cluster.shares[:_NAMED]]
        where = ", ".join(names)
        vi = "; ".join(
            f"{subject.vi} {number_vi(one.observed)} (bình thường {number_vi(one.expected, 1)})"
            for subject, one in zip(subjects, joint.shares, strict=True)
        )
        en = "; ".join(
            f"{subject.en} {number_en(one.observed)} (normally {number_en(one.expected, 1)})"
            for subject, one in zip(subjects, joint.shares, strict=True)
        )
        titles = (
            " + ".join(one.vi for one in subjects),
            " + ".join(one.en for one in subjects),
        )
        return replace(
            signal,
            headline_vi=(
                f"Tình huống – {titles[0]}: {number_vi(cluster.observed)} báo cáo trong "
                f"{cluster.days} ngày, bình thường {number_vi(cluster.expected, 1)}; {where}"
            ),
            headline_en=(
                f"Situation – {titles[1]}: {reports_en(cluster.observed)} in "
                f"{days_en(cluster.days)}, normally {number_en(cluster.expected, 1)}; {where}"
            ),
            detail_vi=f"{vi}. {signal.detail_vi}",
            detail_en=f"{en}. {signal.detail_en}",
            # Those of other layers are counted in the words; alerts name records of their own.
            records=tuple(one for one in cluster.records if one > 0),
            measures={
                "days": float(cluster.days),
                "method": "joint_scan",
                SITUATION: self._facts(joint),
            },
        )

    def _subject(self, share: JointShare) -> LocalizedText:
        layer_id, _, stream = share.name.rpartition(":")
        return subject_of(self.others.get(layer_id, self.scan_findings.layer), stream)

    def _facts(self, joint: JointCluster) -> dict[str, Any]:
        """For programs and the map, as of other situations."""
        names = self.scan_findings.names
        return {
            "hours": 24 * joint.cluster.days,
            "communes": [
                {"code": code, "name": names.get(code, code), "observed": count, "expected": None}
                for code, count in joint.cluster.shares
            ],
            "streams": [
                {"code": one.name, "observed": one.observed, "expected": round(one.expected, 2)}
                for one in joint.shares
            ],
            "timeline": [],
            "records": len(joint.cluster.records),
        }
