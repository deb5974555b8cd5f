"""Events of alerts (gis.notification), in the order of their commits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.alerts.states import NOT_NOTIFIED
from gis.notify.notification import CommuneName, Language, Notification

_MEASURES = ("observed", "expected", "llr", "p", "recurrence_days")

# All events of the layers whose desk it is; of others what everybody may see, and that it is taken
# back. By the rule of today: steps of what was taken back or suppressed are read by nobody later.
_READABLE = """
layer_id = ANY(:layers) AND CASE
  WHEN gis.is_internal(alert ->> 'rule') THEN :operator
  WHEN layer_id = ANY(:desk) THEN true
  WHEN act = 'withdrawn' THEN true
  ELSE (alert ->> 'approved')::boolean AND NOT alert ->> 'status' = ANY(:not_notified)
    AND alert_id IN (SELECT p.id FROM gis.published_alert p) END"""
_AFTER = text(
    f"SELECT * FROM gis.notification WHERE seq > :after AND {_READABLE} ORDER BY seq LIMIT :limit"  # noqa: S608
)
_LATEST = text(f"SELECT coalesce(max(seq), 0) FROM gis.notification WHERE {_READABLE}")  # noqa: S608


def last_seq(connection: Connection) -> int:
    """The number of the latest event of all alerts; 0 when there is none."""
    latest: int = connection.scalar(text("SELECT coalesce(max(seq), 0) FROM gis.notification"))
    return latest


@dataclass(frozen=True, slots=True)
class EventReader:
    """The layers that a principal may read, those of them whose desk it serves, and whether it is
    an operator, who also reads what is for operators alone.
    """

    layers: Sequence[str]
    desk: Sequence[str]
    operator: bool


def events_after(
    connection: Connection, after: int, reader: EventReader, limit: int = 100
) -> list[Notification]:
    """Events of alerts that a reader may see after a number, the oldest first."""
    values = _readable(reader) | {"after": after, "limit": limit}
    return [notification_of(row) for row in connection.execute(_AFTER, values)]


def newest_readable(connection: Connection, reader: EventReader) -> int:
    """The number of the latest event that `events_after` gives; 0 when there is none.

    To a reader of these layers `last_seq` would disclose that something happened in another one.
    """
    latest: int = connection.scalar(_LATEST, _readable(reader))
    return latest


def _readable(reader: EventReader) -> dict[str, Any]:
    hidden = [status.value for status in NOT_NOTIFIED]
    return {
        "layers": list(reader.layers),
        "desk": list(reader.desk),
        "operator": reader.operator,
        "not_notified": hidden,
    }


def notification_of(row: Row[Any]) -> Notification:
    """The notification of a row of gis.notification."""
    alert: Mapping[str, Any] = row.alert
    layer: Mapping[str, Any] = alert.get("layer") or {}
    options: Mapping[str, Any] = layer.get("alerts") or {}
    titles = layer.get("title") or {}
    title = {language: titles.get(language, row.layer_id) for language in Language}
    subject = layer.get("subject") or title
    return Notification(
        seq=row.seq,
        at=row.at,
        act=row.act,
        alert_id=row.alert_id,
        layer_id=row.layer_id,
        rule=alert["rule"],
        status=alert["status"],
        severity=alert["severity"],
        title=title,
        subject={language: subject.get(language, title[language]) for language in Language},
        headline={language: alert[f"headline_{language}"] for language in Language},
        detail={language: alert.get(f"detail_{language}") or "" for language in Language},
        places=tuple(CommuneName(place["code"], place["name"]) for place in alert["places"]),
        cells=tuple(alert["cells"]),
        geometry=alert["geometry"],
        official=alert["official"],
        simulated=alert["simulated"],
        opened_at=datetime.fromisoformat(alert["opened_at"]),
        updated_at=datetime.fromisoformat(alert["updated_at"]),
        since=_moment(alert.get("since")),
        until=_moment(alert.get("until")),
        approved=alert["approved"],
        confirmed=alert["confirmed"],
        quiet_days=options.get("quiet_days", 14),
        categories=tuple(options.get("cap_categories") or ("Other",)),
        measures=dict(_measures(alert)),
        province=alert.get("province"),
    )


def _measures(alert: Mapping[str, Any]) -> Iterator[tuple[str, float | str]]:
    for name in _MEASURES:
        if alert.get(name) is not None:
            yield name, alert[name]
    yield from (alert.get("run") or {}).items()


def _moment(iso: str | None) -> datetime | None:
    return None if iso is None else datetime.fromisoformat(iso)
