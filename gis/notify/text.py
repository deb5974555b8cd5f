"""An alert as plain text for people, from the templates beside this file."""

from datetime import datetime
from functools import cache
from pathlib import Path

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gis.clock import HERE
from gis.notify.messages import ACTS, SEVERITIES, SIMULATED, WHOLE_PROVINCE
from gis.notify.notification import Language, Notification
from gis.text import nfc

_SUBJECT_LENGTH = 200


def mail_subject(notification: Notification, language: Language) -> str:
    """One line of at most 200 characters: a mark if simulated, severity, act, headline."""
    mark = SIMULATED[language] if notification.simulated else ""
    severity, act = _severity(notification, language), _act(notification, language)
    subject = f"{mark}[{severity}] {act}: {notification.headline[language]}"
    return nfc(subject)[:_SUBJECT_LENGTH]


def mail_text(notification: Notification, language: Language, map_url: str | None = None) -> str:
    """Plain text: act, headline, communes, times, and marks of simulated or unofficial data.

    `map_url`: of the map, to which the alert is linked; None: no link.
    """
    return _template(language).render(
        notification=notification,
        headline=notification.headline[language],
        detail=notification.detail[language],
        title=notification.title[language],
        act=_act(notification, language),
        severity=_severity(notification, language),
        where=", ".join(place.name for place in notification.places) or WHOLE_PROVINCE[language],
        middle=_middle(notification),
        link=map_url and f"{map_url.rstrip('/')}/?alert={notification.alert_id}",
        at=_time(notification.at),
        opened_at=_time(notification.opened_at),
    )


@cache
def _template(language: Language) -> Template:
    folder = Path(__file__).parent / "templates"
    # Plain text: nothing is escaped, and no client text is ever a template.
    environment = Environment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(f"mail.{language}.txt")


def _act(notification: Notification, language: Language) -> str:
    return ACTS.get(notification.act, ACTS["update"])[language]


def _severity(notification: Notification, language: Language) -> str:
    return SEVERITIES[notification.severity][language]


def _middle(notification: Notification) -> str | None:
    """Latitude, longitude in degrees (WGS 84), as phones take them; None without a shape."""
    if notification.geometry is None:
        return None
    import shapely

    middle = shapely.from_geojson(orjson.dumps(notification.geometry)).centroid
    return None if middle.is_empty else f"{middle.y:.5f}, {middle.x:.5f}"


def _time(moment: datetime) -> str:
    return moment.astimezone(HERE).strftime("%d/%m/%Y %H:%M (+07)")
