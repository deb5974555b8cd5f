"""Logins at other systems: HTTP Basic, and OAuth 2 with the credentials of a client.

A key in a header or in the query needs none: it stands there as `{secret:NAME}`.
"""

import base64
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

import orjson
from pydantic import BaseModel, ConfigDict, Field

from gis.connectors.http_client import Authorization, HttpClient, SourceRequest
from gis.connectors.templates import TemplateValues
from gis.errors import SourceRefused

_RENEWED_BEFORE_S = 30.0  # the end of a token
_USUAL_LIFE_S = 300.0  # of a token that does not say it
_MOST_TOKENS = 1_000


class _Login(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BasicLogin(_Login):
    """HTTP Basic."""

    kind: Literal["basic"] = Field(description="A user and a password, by HTTP Basic")
    user: str = Field(description="Name of the user")
    password: str = Field(description="`{secret:NAME}`")

    def authorization(self, values: TemplateValues) -> Authorization:
        return _Basic(values.filled(self.user), values.filled(self.password))


class OAuth2Login(_Login):
    """OAuth 2 with client credentials (RFC 6749, 4.4), as provincial buses of data ask."""

    kind: Literal["oauth2"] = Field(description="A token for the credentials of a client")
    token_url: str = Field(description="URL at which tokens are issued")
    client_id: str = Field(description="Identifier of the client")
    client_secret: str = Field(description="`{secret:NAME}`")
    scope: str = Field("", description="Scope that is asked for")
    sent_in: Literal["header", "body"] = Field(
        "header", description="Where the credentials of the client stand: HTTP Basic, or the form"
    )

    def authorization(self, values: TemplateValues) -> Authorization:
        return _OAuth2(self, values.filled(self.client_id), values.filled(self.client_secret))


type LoginOptions = Annotated[BasicLogin | OAuth2Login, Field(discriminator="kind")]


class _Basic:
    def __init__(self, user: str, password: str) -> None:
        self._credentials = f"{user}:{password}"

    def header(self, client: HttpClient) -> str:
        client.redactor.add(self._credentials)
        return _basic(self._credentials)

    def renew(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    until: float  # time.monotonic()


class _OAuth2:
    """Tokens are kept by the process, so that each reading does not ask for another."""

    _tokens: Mapping[bytes, _Token] = {}
    _lock = threading.Lock()

    def __init__(self, options: OAuth2Login, client_id: str, client_secret: str) -> None:
        self._options = options
        self._client_id = client_id
        self._client_secret = client_secret
        named = "\0".join((options.token_url, client_id, client_secret, options.scope))
        self._key = sha256(named.encode()).digest()
        self._is_new = False  # it was issued for this very reading

    def header(self, client: HttpClient) -> str:
        token = self._tokens.get(self._key)
        if token is None or token.until <= time.monotonic():
            token = self._issued(client)
        client.redactor.add(token.value)
        return f"Bearer {token.value}"

    def renew(self) -> bool:
        """A token that was just issued and is refused all the same will be refused again."""
        with self._lock:
            _OAuth2._tokens = {k: v for k, v in self._tokens.items() if k != self._key}
        was_new, self._is_new = self._is_new, False
        return not was_new

    def _issued(self, client: HttpClient) -> _Token:
        """A new token. Raises SourceRefused where the server issues none."""
        form = {"grant_type": "client_credentials"}
        if self._options.scope:
            form["scope"] = self._options.scope
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        if self._options.sent_in == "header":
            credentials = f"{quote(self._client_id, safe='')}:{quote(self._client_secret, safe='')}"
            client.redactor.add(credentials)
            headers["Authorization"] = _basic(credentials)
        else:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        url = self._options.token_url
        request = SourceRequest(url, "POST", headers, urlencode(form).encode())
        with client.sibling(url) as issuer, issuer.answer(request) as answer:
            content = answer.content()
        try:
            issued = orjson.loads(content)
            value, life_s = issued["access_token"], float(issued.get("expires_in") or _USUAL_LIFE_S)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise SourceRefused(
                f"{url} issued no token: an answer of JSON with access_token was expected"
            ) from None
        if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
            raise SourceRefused(f"{url} issued a token that no header can carry")
        token = _Token(value, time.monotonic() + max(life_s - _RENEWED_BEFORE_S, life_s / 2))
        with self._lock:
            kept = dict(list(self._tokens.items())[-_MOST_TOKENS:])
            _OAuth2._tokens = kept | {self._key: token}
        self._is_new = True
        return token


def _basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()
