"""A told step as JSON, as webhooks and the event stream have it. Nothing personal is in it."""

from typing import Any

import h3

from gis.notify.notification import Language, Notification


def notification_payload(told: Notification) -> dict[str, Any]:
    """What was done, when, and the alert as it then stood; hexes as H3 text, times with zone."""
    return {
        "seq": told.seq,
        "act": told.act,
        "at": told.at.isoformat(),
        "alert": {
            "id": told.alert_id,
            "layer_id": told.layer_id,
            "rule": told.rule,
            "status": told.status,
            "severity": told.severity,
            **{f"headline_{one}": told.headline[one] for one in Language},
            **{f"detail_{one}": told.detail[one] for one in Language},
            "communes": [{"code": place.code, "name": place.name} for place in told.places],
            "hexes": [h3.int_to_str(cell) for cell in told.cells],
            "geometry": told.geometry,
            "official": told.official,
            "simulated": told.simulated,
            "approved": told.approved,
            "opened_at": told.opened_at.isoformat(),
            "updated_at": told.updated_at.isoformat(),
            "measures": dict(told.measures),
        },
    }
