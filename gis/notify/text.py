"""An alert as plain text for people: mail, from the templates beside this file, and short texts."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gis.alerts.policy import Tier
from gis.clock import HERE
from gis.notify.messages import ACTS, DIGEST, SEVERITIES, SIMULATED, WHOLE_PROVINCE
from gis.notify.notification import Language, Notification
from gis.text import nfc, without_diacritics

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
        where=_places(notification, language),
        middle=_middle(notification),
        link=_link(notification, map_url),
        at=_time(notification.at),
        opened_at=_time(notification.opened_at),
    )


def message_values(
    notification: Notification, language: Language, map_url: str | None, text_length: int
) -> dict[str, str]:
    """Values of the placeholders of gateways that follow from a notification, each on one line.

    `text` is at most so many characters long, and keeps its link.
    """
    severity, step = _severity(notification, language), _act(notification, language)
    where, link = _places(notification, language), _link(notification, map_url)
    mark = SIMULATED[language] if notification.simulated else ""
    words = f"{mark}[{severity}] {step}: {notification.headline[language]}. {where}"
    text = f"{_cut(_line(words), text_length - len(link) - 1)} {link}".strip()
    values = {
        "text": text,
        "text_ascii": _ascii(text),
        "headline": notification.headline[language],
        "detail": notification.detail[language],
        "where": where,
        "severity": severity,
        "step": step,
        "time": _time(notification.at),
        "link": link,
        "tier": notification.severity,
        "act": notification.act,
        "alert": str(notification.alert_id),
    }
    return {name: _line(value) for name, value in values.items()}


def digest_text(
    notifications: Sequence[Notification], language: Language, map_url: str | None
) -> tuple[str, str]:
    """Subject and plain text of a digest, the gravest first: a paragraph for each alert."""
    ordered = _by_severity(notifications)
    subject = f"{_digest_title(ordered, language)}: {mail_subject(ordered[0], language)}"
    paragraphs = [
        "\n".join(
            part
            for part in (
                mail_subject(each, language),
                _places(each, language),
                _time(each.at),
                _link(each, map_url),
            )
            if part
        )
        for each in ordered
    ]
    return nfc(subject)[:_SUBJECT_LENGTH], "\n\n".join(paragraphs) + "\n"


def digest_values(
    notifications: Sequence[Notification], language: Language, text_length: int
) -> dict[str, str]:
    """Values of the placeholders `text` and `text_ascii` for a digest; the others are those of its
    first notification.
    """
    ordered = _by_severity(notifications)
    headlines = "; ".join(mail_subject(each, language) for each in ordered)
    text = _cut(_line(f"{_digest_title(ordered, language)}: {headlines}"), text_length)
    return {"text": text, "text_ascii": _ascii(text)}


def _by_severity(notifications: Sequence[Notification]) -> list[Notification]:
    return sorted(notifications, key=lambda each: -Tier(each.severity).rank)


def _digest_title(notifications: Sequence[Notification], language: Language) -> str:
    return DIGEST[language].format(n=len(notifications))


def _line(text: str) -> str:
    """In NFC on one line, without control characters, which JSON and XML do not take."""
    return nfc("".join(" " if unicodedata.category(char) == "Cc" else char for char in text))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: max(length - 1, 0)].rstrip()}…"


_PUNCTUATION = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "×": "x", "≥": ">=",
     "≤": "<=", "±": "+-", "·": "."}
)  # fmt: skip


def _ascii(text: str) -> str:
    plain = without_diacritics(text).translate(_PUNCTUATION)
    return unicodedata.normalize("NFKD", plain).encode("ascii", "replace").decode()


@cache
def _template(language: Language) -> Template:
    folder = Path(__file__).parent / "templates"
    # Plain text: nothing is escaped, and no client text is ever a template.
    environment = Environment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(f"mail.{language}.txt")


def _places(notification: Notification, language: Language) -> str:
    return ", ".join(place.name for place in notification.places) or WHOLE_PROVINCE[language]


def _link(notification: Notification, map_url: str | None) -> str:
    return f"{map_url.rstrip('/')}/?alert={notification.alert_id}" if map_url else ""


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
