"""An alert as plain text for people, from the templates beside this file."""

from datetime import datetime
from functools import cache
from pathlib import Path

import orjson
import shapely
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gis.clock import HERE
from gis.notify.messages import ACTS, SEVERITIES, SIMULATED, WHOLE_PROVINCE
from gis.notify.notification import Language, Notification
from gis.text import nfc

_SUBJECT_LENGTH = 200


def mail_subject(told: Notification, language: Language) -> str:
    """One line: whether it is real, how severe, what was done, what it is about."""
    words = f"[{_severity(told, language)}] {_act(told, language)}: {told.headline[language]}"
    mark = SIMULATED[language] if told.simulated else ""
    return nfc(mark + words)[:_SUBJECT_LENGTH]


def mail_text(told: Notification, language: Language, map_url: str | None = None) -> str:
    """Plain text: what, where, when, by which numbers, and what remains uncertain.

    `map_url`: of the map, to which the alert is linked; None: nobody said where it is.
    """
    return _template(language).render(
        told=told,
        headline=told.headline[language],
        detail=told.detail[language],
        title=told.title[language],
        act=_act(told, language),
        severity=_severity(told, language),
        where=", ".join(place.name for place in told.places) or WHOLE_PROVINCE[language],
        middle=_middle(told),
        link=map_url and f"{map_url.rstrip('/')}/?alert={told.alert_id}",
        at=_time(told.at),
        opened_at=_time(told.opened_at),
    )


@cache
def _template(language: Language) -> Template:
    folder = Path(__file__).parent / "templates"
    # Plain text: nothing is escaped, and no client text is ever a template.
    environment = Environment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(f"mail.{language}.txt")


def _act(told: Notification, language: Language) -> str:
    return ACTS.get(told.act, ACTS["update"])[language]


def _severity(told: Notification, language: Language) -> str:
    return SEVERITIES[told.severity][language]


def _middle(told: Notification) -> str | None:
    """Latitude and longitude, as maps and receivers of GPS take them; None without a shape."""
    if told.geometry is None:
        return None
    middle = shapely.from_geojson(orjson.dumps(told.geometry)).centroid
    return None if middle.is_empty else f"{middle.y:.5f}, {middle.x:.5f}"


def _time(moment: datetime) -> str:
    return moment.astimezone(HERE).strftime("%d/%m/%Y %H:%M (+07)")
