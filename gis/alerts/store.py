"""Alerts as rows: gis.alert holds their present state, gis.alert_event their history."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, text

from gis.alerts.engine import AlertState, LastNotification, Step, local_day
from gis.alerts.findings import Findings, Signal
from gis.alerts.outline import outline_of
from gis.alerts.policy import Tier
from gis.alerts.states import ENDS, LIVE, Status
from gis.alerts.suppression import InhibitedBy, Reason, Silenced

SERVICE = "service"
_LIVE = [status.value for status in LIVE]
_ENDS = [status.value for status in ENDS]

_SELECT = """
SELECT *, ST_X(centre) AS lon, ST_Y(centre) AS lat FROM gis.alert
"""
# Live alerts of a stream, those that ended lately, and those that a person closed while their
# evidence held, the oldest first.
_OF_STREAM = text(
    _SELECT + " WHERE layer_id = :layer AND rule = :rule AND stream = :stream"
    " AND (status = ANY(:live) OR (status = ANY(:ends) AND until >= :after)"
    "      OR (status IN ('resolved', 'false') AND key IS NOT NULL AND NOT gone)) ORDER BY id"
)
_LIVE_OF_LAYER = text(
    _SELECT + " WHERE layer_id = :layer AND status = ANY(:live) ORDER BY id FOR UPDATE"
)
_ONE = text(_SELECT + " WHERE id = :id FOR UPDATE")

# The shape is that of the hexes, else of the units, else of the province; empty where no communes
# are stored, since that must not hold up an alert.
_SHAPE = """
CASE WHEN CAST(:wkt AS text) IS NOT NULL THEN ST_Multi(ST_GeomFromText(:wkt, 4326))
     ELSE coalesce((SELECT ST_Multi(ST_Union(c.geom)) FROM layer.communes c
                    WHERE CAST(:communes AS text[]) = '{}' OR c.code = ANY(:communes)),
                   ST_GeomFromText('MULTIPOLYGON EMPTY', 4326)) END
"""
_WRITTEN = (
    "status", "resumes", "severity", "headline_vi", "headline_en", "detail_vi", "detail_en",
    "cells", "communes", "official", "simulated", "run_id", "key", "observed", "expected", "llr",
    "p", "recurrence_days", "radius_m", "since", "until", "records", "weak_days", "weak_on",
    "seen_at", "expires_at", "escalate_at", "beyond", "gone",
)  # fmt: skip
_CENTRE = "ST_Point(CAST(:lon AS float8), CAST(:lat AS float8), 4326)"
_NAMES = f"{', '.join(_WRITTEN)}, centre, geom, measures, last_notification"
_VALUES = (
    f"{', '.join(f':{name}' for name in _WRITTEN)}, {_CENTRE}, {_SHAPE}, "
    "CAST(:measures AS jsonb), CAST(:last_notification AS jsonb)"
)
_INSERT = text(
    f"INSERT INTO gis.alert (layer_id, rule, stream, opened_at, updated_at, {_NAMES})"  # noqa: S608
    f" VALUES (:layer_id, :rule, :stream, :now, :now, {_VALUES}) RETURNING id"
)
_UPDATE = text(
    f"UPDATE gis.alert SET ({_NAMES}, updated_at, acknowledged_at, resolved_at)"  # noqa: S608
    f" = ({_VALUES}, CASE WHEN :acted THEN CAST(:now AS timestamptz) ELSE updated_at END,"
    " CASE WHEN :status = 'acknowledged' THEN coalesce(acknowledged_at, :now)"
    "      ELSE acknowledged_at END,"
    " CASE WHEN :ended THEN coalesce(resolved_at, :now) END) WHERE id = :id"
)


def lock_alerts(connection: Connection, layer_id: str) -> None:
    """Lock all decisions about the alerts of this layer until the transaction ends."""
    connection.execute(_LOCK, {"layer": layer_id})


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('alerts ' || :layer, 0))")


def alerts_of_stream(connection: Connection, findings: Findings) -> list[AlertState]:
    """The live alerts of the stream, and the ended ones of which a signal may be a rest."""
    earliest = min([signal.since for signal in findings.signals], default=findings.until)
    values = {
        "layer": findings.layer_id,
        "rule": findings.rule,
        "stream": findings.stream,
        "live": _LIVE,
        "ends": _ENDS,
        "after": earliest - findings.policy.same_gap,
    }
    return [alert_of(row) for row in connection.execute(_OF_STREAM, values)]


def live_alerts(connection: Connection, layer_id: str) -> list[AlertState]:
    """The live alerts of all streams of a layer, locked."""
    rows = connection.execute(_LIVE_OF_LAYER, {"layer": layer_id, "live": _LIVE})
    return [alert_of(row) for row in rows]


def live_keys(connection: Connection, layer_id: str, rule: str) -> list[str]:
    """The keys of the live alerts of a rule."""
    sql = text(
        "SELECT key FROM gis.alert WHERE layer_id = :layer AND rule = :rule"
        " AND key IS NOT NULL AND status = ANY(:live) ORDER BY key"
    )
    values = {"layer": layer_id, "rule": rule, "live": _LIVE}
    return list(connection.execute(sql, values).scalars())


def live_records(
    connection: Connection, layer_id: str, rule: str, stream: str = ""
) -> frozenset[int]:
    """Ids of the records that the live alerts of a stream rest on."""
    sql = text(
        "SELECT DISTINCT unnest(records) FROM gis.alert WHERE layer_id = :layer AND rule = :rule"
        " AND stream = :stream AND status = ANY(:live)"
    )
    values = {"layer": layer_id, "rule": rule, "stream": stream, "live": _LIVE}
    return frozenset(connection.execute(sql, values).scalars())


def live_since(connection: Connection, layer_id: str, rule: str) -> dict[int, datetime]:
    """The beginning of the evidence of a rule's live alerts, by the record that they rest on."""
    sql = text(
        "SELECT record, min(since) AS since FROM gis.alert, unnest(records) AS record"
        " WHERE layer_id = :layer AND rule = :rule AND status = ANY(:live) GROUP BY record"
    )
    values = {"layer": layer_id, "rule": rule, "live": _LIVE}
    return {row.record: row.since for row in connection.execute(sql, values)}


def live_streams(connection: Connection, layer_id: str, rule: str) -> list[str]:
    """The streams in which a rule has live alerts."""
    sql = text(
        "SELECT DISTINCT stream FROM gis.alert WHERE layer_id = :layer AND rule = :rule"
        " AND status = ANY(:live) ORDER BY stream"
    )
    values = {"layer": layer_id, "rule": rule, "live": _LIVE}
    return list(connection.execute(sql, values).scalars())


def inhibited_alerts(connection: Connection, layer_id: str, stream: str) -> frozenset[int]:
    """Numbers of the alerts of a stream that another alert, and no silence, suppresses."""
    values = {"layer": layer_id, "stream": stream}
    return frozenset(connection.execute(_INHIBITED, values).scalars())


_INHIBITED = text("""
SELECT a.id FROM gis.alert a
CROSS JOIN LATERAL (SELECT e.within_id FROM gis.alert_event e
                    WHERE e.alert_id = a.id AND e.act = 'suppressed'
                    ORDER BY e.id DESC LIMIT 1) AS why
WHERE a.layer_id = :layer AND a.stream = :stream AND a.status = 'suppressed'
  AND why.within_id IS NOT NULL
""")


def locked_alert(connection: Connection, alert_id: int) -> AlertState | None:
    row = connection.execute(_ONE, {"id": alert_id}).one_or_none()
    return None if row is None else alert_of(row)


def write_step(connection: Connection, step: Step, now: datetime, who: str = SERVICE) -> int:
    """Store an alert as it is after a step, and its event; gives the alert's number."""
    acted, ended = step.act is not None, step.alert.status in ENDS
    values = _values(step.alert) | {"now": now, "acted": acted, "ended": ended}
    alert_id = step.alert.id
    if alert_id is None:
        alert_id = int(connection.execute(_INSERT, values).scalar_one())
    else:
        connection.execute(_UPDATE, values)
    if step.act is not None:
        record_event(
            connection, alert_id, who, step.act, step.why, at=now, notify=step.notify,
            reason=step.reason,
        )  # fmt: skip
    return alert_id


def record_event(
    connection: Connection,
    alert_id: int,
    who: str,
    act: str,
    note: str,
    *,
    at: datetime | None = None,
    notify: bool = True,
    reason: Reason | None = None,
) -> None:
    """Store an event. `notify`: recipients are notified of it; `reason`: of a suppression."""
    values = {"alert": alert_id, "who": who, "act": str(act), "note": note, "notify": notify}
    silence = reason.silence_id if isinstance(reason, Silenced) else None
    within = reason.alert_id if isinstance(reason, InhibitedBy) else None
    connection.execute(_EVENT, values | {"at": at, "silence": silence, "within": within})


_EVENT = text(
    "INSERT INTO gis.alert_event (alert_id, at, who, act, note, notify, silence_id, within_id)"
    " VALUES (:alert, coalesce(CAST(:at AS timestamptz), now()), :who, :act, :note, :notify,"
    " :silence, :within)"
)


def alert_of(row: Row[Any]) -> AlertState:
    return AlertState(
        id=row.id,
        layer_id=row.layer_id,
        rule=row.rule,
        stream=row.stream,
        status=Status(row.status),
        resumes=Status(row.resumes) if row.resumes else None,
        signal=_signal(row),
        official=row.official,
        simulated=row.simulated,
        run_id=row.run_id,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
        last_notification=_last_notification(row.last_notification),
        weak_days=row.weak_days,
        weak_on=row.weak_on,
        escalate_at=row.escalate_at,
        gone=row.gone,
        within_id=row.within_id,
    )


def _signal(row: Row[Any]) -> Signal:
    return Signal(
        tier=Tier(row.severity),
        observed=row.observed,
        since=row.since,
        until=row.until,
        headline_vi=row.headline_vi,
        headline_en=row.headline_en,
        detail_vi=row.detail_vi,
        detail_en=row.detail_en,
        cells=tuple(row.cells),
        communes=tuple(row.communes),
        centre=None if row.lon is None else (row.lon, row.lat),
        radius_m=row.radius_m,
        expected=row.expected,
        llr=row.llr,
        p=row.p,
        recurrence_days=row.recurrence_days,
        records=tuple(row.records),
        measures=row.measures,
        key=row.key,
        beyond=row.beyond,
    )


def _last_notification(values: Mapping[str, Any] | None) -> LastNotification | None:
    if values is None:
        return None
    return LastNotification(
        tier=Tier(values["tier"]),
        observed=values["observed"],
        llr=values["llr"],
        communes=frozenset(values["communes"]),
        records=frozenset(values["records"]),
    )


def _values(alert: AlertState) -> dict[str, object]:
    signal = alert.signal
    lon, lat = signal.centre or (None, None)
    same = {name: getattr(signal, name) for name in _WRITTEN if hasattr(signal, name)}
    same |= {name: getattr(alert, name) for name in _WRITTEN if hasattr(alert, name)}
    return same | {
        "id": alert.id,
        "layer_id": alert.layer_id,
        "rule": alert.rule,
        "stream": alert.stream,
        "severity": signal.tier.value,
        "status": alert.status.value,
        "resumes": alert.resumes.value if alert.resumes else None,
        "cells": list(signal.cells),
        "communes": list(signal.communes),
        "records": list(signal.records),
        "lon": lon,
        "lat": lat,
        "wkt": outline_of(signal.cells) if signal.cells else None,
        "measures": orjson.dumps(dict(signal.measures)).decode(),
        "last_notification": _last_notification_json(alert.last_notification),
    }


def _last_notification_json(last_notification: LastNotification | None) -> str | None:
    if last_notification is None:
        return None
    values = {
        "tier": last_notification.tier.value,
        "observed": last_notification.observed,
        "llr": last_notification.llr,
        "communes": sorted(last_notification.communes),
        "records": sorted(last_notification.records),
    }
    return orjson.dumps(values).decode()


def last_evaluation(connection: Connection, findings: Findings, now: datetime) -> datetime | None:
    """The end of the last evaluation of the stream; those beyond `now` do not count."""
    latest: datetime | None = connection.scalar(
        text(
            "SELECT max(until) FROM gis.alert_evaluation WHERE layer_id = :layer AND rule = :rule"
            " AND stream = :stream AND until <= :now"
        ),
        {"layer": findings.layer_id, "rule": findings.rule, "stream": findings.stream, "now": now},
    )
    return latest


_RECORD_EVALUATION = text("""
INSERT INTO gis.alert_evaluation
  (layer_id, rule, stream, day, until, evaluated_at, version, run_id, signals, p, least_p,
   simulated)
VALUES (:layer, :rule, :stream, :day, :until, :now,
        :version, :run_id, :signals, :p, :p, :simulated)
ON CONFLICT (layer_id, rule, stream, day) DO UPDATE SET until = excluded.until,
  evaluated_at = excluded.evaluated_at, version = excluded.version, run_id = excluded.run_id,
  signals = excluded.signals, p = excluded.p,
  least_p = least(alert_evaluation.least_p, excluded.p), simulated = excluded.simulated
""")


def record_evaluation(connection: Connection, findings: Findings, now: datetime) -> None:
    """Store an evaluation: of each day the last one, with the least p of all."""
    values = {
        "layer": findings.layer_id,
        "rule": findings.rule,
        "stream": findings.stream,
        "day": local_day(findings.until),
        "until": findings.until,
        "now": now,
        "version": findings.version,
        "run_id": findings.run_id,
        "signals": len(findings.signals),
        "p": findings.p,
        "simulated": findings.simulated,
    }
    connection.execute(_RECORD_EVALUATION, values)
