"""Records of the domain as JSON: one form for HTTP, of which the commands show some members.

Moments stay datetimes, since commands show them by the clock of Vietnam; `json_ready` writes them
as ISO 8601.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gis.alerts.suppression import InhibitedBy, Reason, Silenced
from gis.errors import BadInput

if TYPE_CHECKING:  # commands that show none of these need not load them
    from gis.alerts.actions import Alert, AlertEvent, Outline
    from gis.alerts.inhibition import Silence
    from gis.alerts.precision import RulePrecision
    from gis.notify.handover import Handover
    from gis.notify.roster.shifts import RosterGap, Shift
    from gis.notify.subscriptions import Subscription
    from layers.ingest.corrections import AppliedCorrection
    from layers.ingest.edit import RowChange
    from layers.ingest.quarantine import QuarantinedRecord

type Record = dict[str, Any]


def json_ready(record: Mapping[str, Any]) -> Record:
    """The record with its moments as ISO 8601 with their zone."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in record.items()
    }


def column_values(texts: Iterable[str] | None) -> dict[str, str]:
    """Values by column, of texts `column=value`; raises BadInput."""
    pairs = [text.partition("=") for text in texts or ()]
    for name, equals, value in pairs:
        if not (name and equals):
            raise BadInput(f"{name + equals + value!r}: write column=value")
    return {name: value for name, _, value in pairs}


def select(record: Mapping[str, Any], names: Mapping[str, str]) -> Record:
    """Some members of a record, by the names under which they are shown."""
    return {shown: record[name] for shown, name in names.items()}


def alert_record(alert: "Alert") -> Record:
    return {
        "id": alert.id,
        "layer_id": alert.layer_id,
        "rule": alert.rule,
        "stream": alert.stream,
        "status": alert.status,
        "severity": alert.severity,
        "headline_vi": alert.headline_vi,
        "headline_en": alert.headline_en,
        "detail_vi": alert.detail_vi,
        "detail_en": alert.detail_en,
        "communes": [{"code": code, "name": name} for code, name in alert.communes],
        "observed": alert.observed,
        "expected": alert.expected,
        "p": alert.p,
        "recurrence_days": alert.recurrence_days,
        "since": alert.since,
        "until": alert.until,
        "official": alert.official,
        "simulated": alert.simulated,
        "opened_at": alert.opened_at,
        "updated_at": alert.updated_at,
        "outcome": alert.outcome,
        "approved": alert.approved,
        "suppressed_why": _reason_record(alert.suppressed_why),
        "people": None if alert.people is None else round(alert.people),
        "acknowledged_by": alert.acknowledged_by,
        "acknowledged_at": alert.acknowledged_at,
        "within": alert.within_id,
        "situation": alert.situation,
        "bbox": alert.bbox and list(alert.bbox),
    }


def outline_record(outline: "Outline | None") -> Record:
    """Null where the alert has no shape."""
    if outline is None:
        return {"geometry": None, "point": None}
    return {"geometry": outline.geometry, "point": list(outline.point)}


def _reason_record(reason: Reason | None) -> Record | None:
    """Its kind and what it speaks of; a client words it in its language."""
    match reason:
        case Silenced():
            return {"kind": "silence", **asdict(reason)}
        case InhibitedBy():
            return {"kind": "within", **asdict(reason)}
    return None


def alert_event_record(event: "AlertEvent") -> Record:
    return {"at": event.at, "act": event.act, "who": event.who, "note": event.note}


def silence_record(silence: "Silence") -> Record:
    return {
        "id": silence.id,
        "layer_id": silence.layer_id,
        "rule": silence.rule,
        "communes": sorted(silence.communes),
        "who": silence.who,
        "why": silence.why,
        "created_at": silence.created_at,
        "until": silence.until,
    }


def precision_record(precision: "RulePrecision") -> Record:
    return {
        "layer_id": precision.layer_id,
        "rule": precision.rule,
        "simulated": precision.simulated,
        "alerts": precision.alerts,
        "true": precision.answers.true,
        "false": precision.answers.false,
        "unknown": precision.unknown,
        "share_true": precision.answers.share_true,
        "interval": list(precision.answers.interval),
    }


def subscription_record(subscription: "Subscription") -> Record:
    """Never with its secret."""
    request = subscription.request
    return {
        "name": request.name,
        "channel": request.channel,
        "target": request.target,
        "language": request.language,
        "layers": list(request.layers),
        "communes": list(request.communes),
        "least_severity": request.least_severity,
        "simulated": request.simulated,
        "only_named": request.only_named,
        "on_duty": request.on_duty,
        "person": request.person,
        "digest_minutes": request.digest_minutes,
        "quiet_hours": request.quiet_hours and str(request.quiet_hours),
        "created_at": subscription.created_at,
        "created_by": subscription.created_by,
        "delivered": subscription.delivered,
        "waiting": subscription.waiting,
        "dead": subscription.dead,
        "error": subscription.error,
    }


def shift_record(shift: "Shift") -> Record:
    """Empty lists: all."""
    return {
        "who": shift.who,
        "since": shift.since,
        "until": shift.until,
        "communes": sorted(shift.communes),
        "layers": sorted(shift.layers),
        "categories": sorted(shift.categories),
        "channel": shift.channel,
    }


def gap_record(gap: "RosterGap") -> Record:
    """`whole`: for no alert at all is anybody on duty. An empty category: none that shifts name."""
    return {
        "since": gap.since,
        "until": gap.until,
        "hours": round(gap.hours, 2),
        "whole": gap.whole,
        "layers": sorted({subject.layer_id for subject in gap.subjects}),
        "categories": sorted({subject.category for subject in gap.subjects}),
        "communes": sorted({subject.commune for subject in gap.subjects}),
    }


def handover_record(handover: "Handover") -> Record:
    """Ready for JSON; each alert has what became of its notifications as `notified`."""

    def with_deliveries(alert: "Alert") -> Record:
        deliveries = json_ready(asdict(handover.deliveries[alert.id]))
        return json_ready(alert_record(alert)) | {"notified": deliveries}

    return {
        "since": handover.since.isoformat(),
        "at": handover.at.isoformat(),
        "on_duty": [json_ready(shift_record(shift)) for shift in handover.on_duty],
        "next_shifts": [json_ready(shift_record(shift)) for shift in handover.next_shifts],
        "gaps": [json_ready(gap_record(gap)) for gap in handover.gaps],
        "open": [with_deliveries(alert) for alert in handover.open],
        "silent": [with_deliveries(alert) for alert in handover.silent],
        "silences": [json_ready(silence_record(each)) for each in handover.silences],
        "events": [json_ready(asdict(event)) for event in handover.events],
    }


def quarantined_record(quarantined: "QuarantinedRecord") -> Record:
    return {
        "id": quarantined.id,
        "layer_id": quarantined.layer_id,
        "source": quarantined.source,
        "source_key": quarantined.source_key,
        "raw": quarantined.raw,
        "undeclared": quarantined.undeclared,
        "answers": quarantined.answers,
        "reason": quarantined.reason,
        "why": quarantined.why,
        "status": quarantined.status,
        "state": quarantined.state,
        "item": quarantined.item,
        "load_id": quarantined.load_id,
        "created_at": quarantined.created_at,
        "changed_at": quarantined.changed_at,
        "changed_by": quarantined.changed_by,
    }


def correction_record(correction: "AppliedCorrection") -> Record:
    """`matched` is None where the correction is no rule for later loads."""
    return {
        "id": correction.id,
        "layer_id": correction.layer_id,
        "source": correction.source,
        "matched": correction.matched,
        "changes": correction.changes,
        "records": correction.records,
        "at": correction.at,
        "who": correction.who,
        "undone_at": correction.undone_at,
        "undone_by": correction.undone_by,
    }


def change_record(change: "RowChange") -> Record:
    """`before` is the row as it was, None where the change made it."""
    return {
        "change": change.id,
        "item": change.row_id,
        "act": change.act,
        "at": change.at,
        "who": change.who,
        "before": change.before,
    }
