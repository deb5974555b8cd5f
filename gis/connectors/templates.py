"""Templates of requests to other systems: text with placeholders of a closed list, and no code.

| placeholder | becomes |
| --- | --- |
| `{secret:NAME}` | the secret of that name |
| `{now:%Y-%m-%d %H}` | the present time in Vietnam, in the form of strftime |
| `{now-6h:%H:%M}` | the same six hours ago; m, h and d are minutes, hours and days |
| `{since}` | the greatest value of the column of changes that was read so far |
| `{record:station.id}` | a member of the record to which details are asked for |

All other braces stay as they are. What a value holds is never read as a placeholder.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from gis.clock import HERE
from gis.errors import BadInput
from gis.secret_references import SECRET, secret_references, with_secrets

_PLACEHOLDER = re.compile(
    rf"\{{(?:({SECRET})|now(?:([+-]\d{{1,5}})([mhd]))?:([^{{}}]+)|(since)|record:([^{{}}]+))\}}"
)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class TemplateValues:
    """What placeholders become; a template that names what is not there is refused."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    since: str | None = None
    record: Mapping[str, Any] | None = None
    now: Callable[[], datetime] = lambda: datetime.now(HERE)

    def filled(self, template: str) -> str:
        """A template with its values. Raises BadInput for a value that is not there."""
        return _PLACEHOLDER.sub(self._value, template)

    def filled_url(self, template: str) -> str:
        """A URL with its values, each escaped for it."""
        return _PLACEHOLDER.sub(lambda found: quote(self._value(found), safe=""), template)

    def filled_json(self, body: Any) -> Any:
        """A JSON value whose texts are templates, with their values."""
        match body:
            case str():
                return self.filled(body)
            case Mapping():
                return {name: self.filled_json(member) for name, member in body.items()}
            case list() | tuple():
                return [self.filled_json(member) for member in body]
        return body

    def _value(self, found: re.Match[str]) -> str:
        secret, number, unit, form, since, path = found.groups()
        if secret:
            return with_secrets(found[0], self.secrets)
        if form:
            shift = timedelta(**{_UNITS[unit]: int(number)}) if unit else timedelta()
            return (self.now().astimezone(HERE) + shift).strftime(form)
        if since:
            if self.since is None:
                raise BadInput("{since} needs `changes`: name the column that says when it changed")
            return self.since
        value = member(self.record or {}, path)
        if value is None:
            raise BadInput(f"a record has no {path}, by which its details are asked for")
        return str(value)


def named_secrets(options: BaseModel, secrets: Mapping[str, str]) -> dict[str, str]:
    """Those of the secrets that the options name, by name."""
    return {name: secrets[name] for name in secret_names(options.model_dump()) if name in secrets}


def secret_names(value: Any) -> Iterator[str]:
    """The names of the secrets in the texts of a JSON value."""
    match value:
        case str():
            yield from secret_references(value)
        case Mapping():
            for each in value.values():
                yield from secret_names(each)
        case list() | tuple():
            for each in value:
                yield from secret_names(each)


def member(document: Any, path: str) -> Any:
    """The member of a JSON value at a path such as `data.items.0`; None where there is none."""
    for name in filter(None, path.split(".")):
        match document:
            case Mapping() if name in document:
                document = document[name]
            case list() if name.isdecimal() and int(name) < len(document):
                document = document[int(name)]
            case _:
                return None
    return document
