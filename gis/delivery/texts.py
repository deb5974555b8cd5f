"""An alert as plain text for people, from the templates beside this file."""

from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gis.clock import HERE
from gis.delivery.told import Language, Told
from gis.delivery.words import ACTS, SEVERITIES, SIMULATED, WHOLE_PROVINCE
from gis.text import nfc

_SUBJECT_LENGTH = 200


def mail_subject(told: Told, language: Language) -> str:
    """One line: whether it is real, how severe, what was done, what it is about."""
    words = f"[{_severity(told, language)}] {_act(told, language)}: {told.headline[language]}"
    mark = SIMULATED[language] if told.simulated else ""
    return nfc(mark + words)[:_SUBJECT_LENGTH]


def mail_text(told: Told, language: Language) -> str:
    """Plain text: what, where, when, by which numbers, and what remains uncertain."""
    return _template(language).render(
        told=told,
        headline=told.headline[language],
        detail=told.detail[language],
        title=told.title[language],
        act=_act(told, language),
        severity=_severity(told, language),
        where=", ".join(place.name for place in told.places) or WHOLE_PROVINCE[language],
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


def _act(told: Told, language: Language) -> str:
    return ACTS.get(told.act, ACTS["update"])[language]


def _severity(told: Told, language: Language) -> str:
    return SEVERITIES[told.severity][language]


def _time(moment: datetime) -> str:
    return moment.astimezone(HERE).strftime("%d/%m/%Y %H:%M (+07)")
