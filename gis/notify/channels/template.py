"""Templates of messages to gateways: text with `{placeholders}` of a closed list, and no code.

A brace that is meant stands twice: `{{` and `}}`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from gis.errors import BadInput
from gis.secret_references import SECRET

_SECRET = re.compile(SECRET)
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

PLACEHOLDERS: Mapping[str, str] = {
    "address": "address of the subscription, without the name of the gateway",
    "text": "the whole message in the language of the subscription: tier, step, headline, communes",
    "text_ascii": "the same without diacritics, for gateways that take no others",
    "headline": "headline of the alert",
    "detail": "its second sentence; may be empty",
    "where": "communes",
    "severity": "tier in words",
    "step": "step in words: New alert, Acknowledged …",
    "time": "time of the step, in Vietnam",
    "link": "link to the map; empty without GIS_PUBLIC_URL",
    "tier": "watch, alert or urgent",
    "act": "step as in the event stream: open, acknowledged …",
    "alert": "number of the alert",
    "key": "the same at each attempt of one message",
}
# Those that are ASCII in any language, as headers must be.
ASCII_PLACEHOLDERS = frozenset({"address", "text_ascii", "tier", "act", "alert", "key"})


def check_template(template: str, allowed: frozenset[str] = frozenset(PLACEHOLDERS)) -> None:
    """Raises BadInput for a placeholder that is none, or may not stand here."""
    for name in placeholders_of(template):
        if _SECRET.fullmatch(name) or name in allowed:
            continue
        if name in PLACEHOLDERS:
            raise BadInput(f"{{{name}}} cannot stand here: use {_listed(allowed)}")
        near = get_close_matches(name, allowed, n=1)
        hint = f"did you mean {{{near[0]}}}?" if near else f"use {_listed(allowed)}"
        raise BadInput(f"there is no placeholder {{{name}}}: {hint}")


def placeholders_of(template: str) -> Iterator[str]:
    """The placeholders of a template, in order. Raises BadInput for a brace that stands alone."""
    for part in _PART.finditer(template):
        if part[1] is not None:
            yield part[1]
        elif part[0] in ("{", "}"):
            raise BadInput(f"a brace stands alone: write {part[0] * 2} where one is meant")


def secrets_of(template: str) -> Iterator[str]:
    """The names of the secrets in a template."""
    for name in placeholders_of(template):
        if _SECRET.fullmatch(name):
            yield name.removeprefix("secret:")


def filled(template: str, values: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    """The template with its values, each escaped for the place where it stands.

    What a value holds is never read as a placeholder.
    """

    def value(part: re.Match[str]) -> str:
        return part[0][0] if part[1] is None else escape(values[part[1]])

    return _PART.sub(value, template)


def texts_of(body: Any) -> Iterator[str]:
    """The texts in a JSON value, but for the names of its members."""
    match body:
        case str():
            yield body
        case dict():
            for member in body.values():
                yield from texts_of(member)
        case list():
            for member in body:
                yield from texts_of(member)


def filled_json(body: Any, values: Mapping[str, str]) -> Any:
    """A JSON value whose texts are templates, with their values; the JSON writer escapes them."""
    match body:
        case str():
            return filled(body, values)
        case dict():
            return {name: filled_json(member, values) for name, member in body.items()}
        case list():
            return [filled_json(member, values) for member in body]
    return body


def _listed(names: frozenset[str]) -> str:
    shown = [f"{{{name}}}" for name in PLACEHOLDERS if name in names]
    return ", ".join([*shown, "{secret:NAME}"])
