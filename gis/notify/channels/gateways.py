"""Gateways of the file of GIS_GATEWAYS: each sends a text (SMS, Zalo …) for one HTTP request.

A gateway is a table of a TOML file: URL, headers and body are templates, secrets stand elsewhere
and are named, and the answer is checked. See docs/how-to/gateways.md.
"""

import base64
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit
from xml.sax.saxutils import escape as xml_escape

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from gis.egress import EgressPolicy, check_url
from gis.errors import BadFile, BadInput, NotDelivered
from gis.notify.channels.exchange import HttpRequest
from gis.notify.channels.template import (
    ASCII_PLACEHOLDERS,
    check_template,
    filled,
    filled_json,
    secrets_of,
    texts_of,
)
from gis.text import fault_words

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "te"})
_BODIES = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "text/xml; charset=utf-8",
    "plain": "text/plain; charset=utf-8",
}
_LONGEST_QUOTE = 60  # characters of an answer that an error shows


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class AnswerCheck(_Part):
    """What an answer must be for a message to count as sent: many gateways fail with status 200."""

    status: list[int] = Field([], description="Accepted statuses; none: any 2xx")
    json_values: dict[str, list[str]] = Field(
        {}, alias="json", description="Accepted values, as texts, by the path of a member"
    )
    text: str = Field("", description="Text that the answer contains")

    @property
    def reads_body(self) -> bool:
        return bool(self.json_values or self.text)

    def check(self, body: bytes) -> None:
        """Raises NotDelivered for a body that says something else."""
        if self.text and self.text not in body.decode("utf-8", "replace"):
            raise NotDelivered(f"the gateway's answer does not contain “{self.text}”")
        if not self.json_values:
            return
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise NotDelivered("the gateway's answer is no JSON") from error
        for path, accepted in self.json_values.items():
            value = _member(answer, path)
            if value is None:
                raise NotDelivered(f"the gateway's answer has no {path}")
            if value not in accepted:
                raise NotDelivered(
                    f"the gateway answered {path} = {_quoted(value)}, not {' or '.join(accepted)}"
                )


class Gateway(_Part):
    """One gateway: how a message becomes a request, and what its answer must be."""

    url: str
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    user: str = Field("", description="User of HTTP Basic")
    password: str = Field("", description="Password of HTTP Basic")
    json_body: dict[str, Any] | None = Field(None, alias="json")
    form: dict[str, str] | None = None
    xml: str | None = None
    plain: str | None = None
    address: str = Field(r"\+?[0-9]{8,15}", description="Regular expression of whole addresses")
    text_length: int = Field(500, ge=40, le=5000, description="Most characters of {text}")
    answer: AnswerCheck = AnswerCheck()

    def check(self, egress: EgressPolicy) -> None:
        """Raises BadInput, with the place of the fault, where nothing can be sent by it."""
        self._check_url(egress)
        for name in self.headers:
            if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS:
                raise BadInput(f"headers.{name}: this header cannot be set")
        bodies = [name for name, body in self._bodies().items() if body is not None]
        if len(bodies) > 1:
            raise BadInput(f"it has {' and '.join(bodies)}: give one body")
        if bodies and self.method == "GET":
            raise BadInput(f"a GET has no body, so no {bodies[0]}: use query, or method POST")
        try:
            re.compile(self.address)
        except re.error as error:
            raise BadInput(f"address: it is no regular expression: {error}") from error
        for place, template in self.templates():
            ascii_alone = place.startswith("headers.") or place in ("user", "password")
            try:
                if ascii_alone:
                    check_template(template, ASCII_PLACEHOLDERS)
                    _check_ascii(template)
                else:
                    check_template(template)
            except BadInput as error:
                raise BadInput(f"{place}: {error}") from error

    def templates(self) -> Iterator[tuple[str, str]]:
        """Every template with its place, such as headers.Authorization."""
        yield from (("url", self.url), ("user", self.user), ("password", self.password))
        for name, table in (("headers", self.headers), ("query", self.query), ("form", self.form)):
            for key, template in (table or {}).items():
                yield f"{name}.{key}", template
        for key, member in (self.json_body or {}).items():
            yield from ((f"json.{key}", template) for template in texts_of(member))
        for name, text in (("xml", self.xml), ("plain", self.plain)):
            if text is not None:
                yield name, text

    def check_address(self, address: str) -> None:
        """Raises BadInput, without the address, for one that the gateway cannot have."""
        if not (address.isascii() and address.isprintable() and len(address) <= 100):
            raise BadInput("an address of a gateway is at most 100 printable ASCII letters")
        if not re.fullmatch(self.address, address):
            raise BadInput(f"the address is not as this gateway wants it: {self.address}")

    def request(self, values: Mapping[str, str]) -> HttpRequest:
        """The request of one message. `values`: by placeholder, of secrets too (`secret:NAME`)."""
        url = filled(self.url, values, _url_escaped)
        if self.query:
            query = {name: filled(text, values) for name, text in self.query.items()}
            url += ("&" if "?" in url else "?") + urlencode(query, quote_via=quote)
        kind, body = self._filled_body(values)
        headers = {name: filled(text, values) for name, text in self.headers.items()}
        given = {name.lower() for name in headers}
        if kind and "content-type" not in given:
            headers["Content-Type"] = _BODIES[kind]
        if self.user:
            pair = f"{filled(self.user, values)}:{filled(self.password, values)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        return HttpRequest(self.method, url, tuple(headers.items()), body)

    def _check_url(self, egress: EgressPolicy) -> None:
        try:
            parts = urlsplit(self.url)
        except ValueError as error:
            raise BadInput(f"url: {error}") from error
        if "{" in parts.netloc or "{" in parts.scheme:
            raise BadInput("url: no placeholder stands before the path")
        try:
            check_url(self.url, egress)
        except BadInput as error:
            raise BadInput(f"url: {str(error).replace('a webhook', 'a gateway')}") from error

    def _bodies(self) -> dict[str, object]:
        return {"json": self.json_body, "form": self.form, "xml": self.xml, "plain": self.plain}

    def _filled_body(self, values: Mapping[str, str]) -> tuple[str, bytes]:
        """The kind of body and its bytes; an empty kind: there is none."""
        if self.json_body is not None:
            return "json", orjson.dumps(filled_json(self.json_body, values))
        if self.form is not None:
            form = {name: filled(text, values) for name, text in self.form.items()}
            return "form", urlencode(form).encode()
        if self.xml is not None:
            return "xml", filled(self.xml, values, _xml_escaped).encode()
        if self.plain is not None:
            return "plain", filled(self.plain, values).encode()
        return "", b""


def read_gateways(
    path: Path | None, secrets: Mapping[str, SecretStr], egress: EgressPolicy
) -> dict[str, Gateway]:
    """The gateways of a TOML file by name; no file: none.

    Raises BadFile for a file that cannot be used, or that names a secret which is not set.
    """
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"GIS_GATEWAYS: {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadFile(f"GIS_GATEWAYS: {path}: {error}") from error
    return {name: _gateway(path, name, table, secrets, egress) for name, table in tables.items()}


def _gateway(
    path: Path, name: str, table: object, secrets: Mapping[str, SecretStr], egress: EgressPolicy
) -> Gateway:
    try:
        if not _NAME.fullmatch(name):
            raise BadInput("a gateway's name is of small letters, digits, _ and -, such as [sms]")
        gateway = Gateway.model_validate(table)
        gateway.check(egress)
        for place, template in gateway.templates():
            for secret in secrets_of(template):
                if secret not in secrets:
                    raise BadInput(f"{place}: set the secret GIS_GATEWAY_SECRET_{secret}")
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise BadFile(f"{path}: [{name}] {place}: {fault_words(fault['msg'])}") from error
    except BadInput as error:
        raise BadFile(f"{path}: [{name}] {error}") from error
    return gateway


def _check_ascii(template: str) -> None:
    if not (template.isascii() and template.isprintable()):
        raise BadInput("it is of printable ASCII letters alone")


def _url_escaped(value: str) -> str:
    return quote(value, safe="")


def _xml_escaped(value: str) -> str:
    return xml_escape(value, {'"': "&quot;", "'": "&apos;"})


def _member(answer: Any, path: str) -> str | None:
    """The member at a path such as `data.0.status` as a text; None: there is none."""
    for step in path.split("."):
        if isinstance(answer, list) and step.isdecimal() and int(step) < len(answer):
            answer = answer[int(step)]
        elif isinstance(answer, dict):
            answer = answer.get(step)
        else:
            return None
    if isinstance(answer, bool):
        return "true" if answer else "false"
    return str(answer) if isinstance(answer, str | int | float) else None


def _quoted(value: str) -> str:
    return value if len(value) <= _LONGEST_QUOTE else f"{value[:_LONGEST_QUOTE]}…"
