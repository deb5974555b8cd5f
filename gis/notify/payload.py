"""Notifications as JSON, for webhooks and the event stream; without personal data."""

from typing import Any

import h3

from gis.notify.notification import Language, Notification


def notification_payload(notification: Notification) -> dict[str, Any]:
    """Act, time and the alert as it stood then; hexes as H3 text, times in ISO 8601 with zone."""
    return {
        "seq": notification.seq,
        "act": notification.act,
        "at": notification.at.isoformat(),
        "alert": {
            "id": notification.alert_id,
            "layer_id": notification.layer_id,
            "rule": notification.rule,
            "status": notification.status,
            "severity": notification.severity,
            **{f"headline_{language}": notification.headline[language] for language in Language},
            **{f"detail_{language}": notification.detail[language] for language in Language},
            "communes": [{"code": place.code, "name": place.name} for place in notification.places],
            "hexes": [h3.int_to_str(cell) for cell in notification.cells],
            "geometry": notification.geometry,
            "official": notification.official,
            "simulated": notification.simulated,
            "approved": notification.approved,
            "opened_at": notification.opened_at.isoformat(),
            "updated_at": notification.updated_at.isoformat(),
            "measures": dict(notification.measures),
        },
    }
