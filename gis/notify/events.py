"""Reading gis.notice: the steps of alerts in the order of their commits."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.alerts.states import UNTOLD
from gis.notify.notification import CommuneName, Language, Notification

_MEASURES = ("observed", "expected", "llr", "p", "recurrence_days")

_READABLE = """
layer_id = ANY(:layers) AND (:all_states OR NOT alert ->> 'status' = ANY(:untold))"""
_AFTER = text(
    f"SELECT * FROM gis.notice WHERE seq > :after AND {_READABLE} ORDER BY seq LIMIT :limit"  # noqa: S608
)
_NEWEST = text(f"SELECT coalesce(max(seq), 0) FROM gis.notice WHERE {_READABLE}")  # noqa: S608


def last_seq(connection: Connection) -> int:
    """The number of the newest notice that anybody can see; 0 when there is none."""
    newest: int = connection.scalar(text("SELECT coalesce(max(seq), 0) FROM gis.notice"))
    return newest


def events_after(
    connection: Connection, after: int, layers: Sequence[str], *, to_desk: bool, limit: int = 100
) -> list[Notification]:
    """Steps of the alerts of these layers after a number, the oldest first.

    What is pending or suppressed is told to the desk alone.
    """
    values = _readable(layers, to_desk=to_desk) | {"after": after, "limit": limit}
    return [notification_of(row) for row in connection.execute(_AFTER, values)]


def newest_readable(connection: Connection, layers: Sequence[str], *, to_desk: bool) -> int:
    """The number of the newest notice that `events_after` gives; 0 when there is none.

    To a reader of these layers `last_seq` would tell that something happened in another one.
    """
    newest: int = connection.scalar(_NEWEST, _readable(layers, to_desk=to_desk))
    return newest


def _readable(layers: Sequence[str], *, to_desk: bool) -> dict[str, Any]:
    untold = [status.value for status in UNTOLD]
    return {"layers": list(layers), "all_states": to_desk, "untold": untold}


def notification_of(row: Row[Any]) -> Notification:
    """A row of gis.notice as a value."""
    alert: Mapping[str, Any] = row.alert
    layer: Mapping[str, Any] = alert.get("layer") or {}
    options: Mapping[str, Any] = layer.get("alerts") or {}
    title = {one: (layer.get("title") or {}).get(one, row.layer_id) for one in Language}
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
        subject={one: (layer.get("subject") or title).get(one, title[one]) for one in Language},
        headline={one: alert[f"headline_{one}"] for one in Language},
        detail={one: alert.get(f"detail_{one}") or "" for one in Language},
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


def _moment(text_or_none: str | None) -> datetime | None:
    return None if text_or_none is None else datetime.fromisoformat(text_or_none)
