"""Methods that raise alerts: what their runs share, from changed evidence to applied findings."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import pandas as pd

from gis.alerts.findings import Evidence, Findings
from gis.alerts.gathering import SITUATION
from gis.alerts.store import live_records
from gis.alerts.updates import AlertChanges, apply_findings
from layers.definition.model import Strict
from layers.detect.changes import InputChanges, input_changes
from layers.detect.findings_late import held_findings
from layers.detect.findings_scan import ScanFindings, policy_of
from layers.detect.findings_situation import situation_findings
from layers.detect.method import Method, RunContext
from layers.detect.observations import (
    Observations,
    commune_names,
    day_number,
    evidence_rows,
)
from layers.detect.situation import find_situation
from layers.detect.surroundings import PlaceFacts, surroundings


class AlarmMethod[O: Strict](Method[O]):
    """A method that raises alerts under its `rule`."""

    rule: ClassVar[str]

    def changes(self, context: RunContext, frame: pd.DataFrame, days: int) -> InputChanges:
        """Records that are new or gone in the input of a run that reads so many days."""
        first = day_number(context.until) - days + 1
        return input_changes(
            context.connection, context.layer.id, self.name, self.rule, frame, first
        )

    def scan_findings(
        self,
        context: RunContext,
        records: Observations,
        streams: Sequence[str],
        changes: InputChanges,
    ) -> ScanFindings:
        """The makers of findings from the results of a run, by the policy of the layer."""
        named = records.rows[records.rows["is_named"]]
        return ScanFindings(
            context.layer,
            context.until,
            policy_of(context.layer, streams, context.alarms),
            commune_names(context.connection),
            context.territory.official,
            records.simulated,
            changes,
            dict(zip(named["id"].tolist(), named["voice"].tolist(), strict=True)),
        )

    def late_findings(
        self, context: RunContext, scan_findings: ScanFindings, records: Observations, run_id: int
    ) -> list[Findings]:
        """Records that no alarm judges for the sake of their time, from the first alarm alone."""
        if self.name != context.alarms[0]:
            return []
        return [
            replace(findings, evidence=_late_evidence(context, findings, ids))
            for findings, ids in held_findings(scan_findings, records, run_id)
        ]

    def situation_findings(
        self, context: RunContext, scan_findings: ScanFindings, records: Observations, run_id: int
    ) -> list[Findings]:
        """The situation of the layer, or that there is none, from the first alarm alone."""
        alerts = context.layer.alerts
        if self.name != context.alarms[0] or alerts is None or alerts.situation is None:
            return []
        found = find_situation(records, context.until, alerts.situation)
        known = PlaceFacts()
        if found is not None:
            communes = [one.name for one in found.communes]
            known = surroundings(
                context.connection, context.territory, context.layer.id, communes, found.records
            )
        evidence = _situation_evidence(context, scan_findings.changes, records)
        return [situation_findings(scan_findings, found, known, run_id, evidence)]

    def apply(self, context: RunContext, findings: Sequence[Findings]) -> AlertChanges:
        """Apply findings to the alerts; nothing in a layer that raises none."""
        if context.layer.alerts is None:
            return AlertChanges()
        changes = [apply_findings(context.connection, each) for each in findings]
        return AlertChanges(
            opened=tuple(alert for each in changes for alert in each.opened),
            updated=tuple(alert for each in changes for alert in each.updated),
            closed=tuple(alert for each in changes for alert in each.closed),
        )


def _situation_evidence(
    context: RunContext, changes: InputChanges | None, records: Observations
) -> Evidence:
    """Changes of all streams together, and records that no stream has any more."""
    known = frozenset(evidence_rows(records.rows)["id"].tolist())
    gone = live_records(context.connection, context.layer.id, SITUATION) - known
    streams = [] if changes is None else list(changes.evidence.values())
    added = [one.added for one in streams if one.added is not None]
    return Evidence(
        gone.union(*(one.gone for one in streams)),
        frozenset().union(*added) if len(added) == len(streams) > 0 else None,
    )


def _late_evidence(context: RunContext, findings: Findings, held: frozenset[int]) -> Evidence:
    """Evidence of the alert that is no longer held back: corrected, or deleted."""
    return Evidence(live_records(context.connection, findings.layer_id, findings.rule) - held)
