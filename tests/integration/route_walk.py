"""Every route of the application, asked with every method: a new route is taken up by itself."""

import io
import itertools
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_PARAMETER = re.compile(r"{(\w+)}")
_CONVERTER = re.compile(r":\w+}")
_PAUSE_S = 0.5
_OF_THE_MOMENT = {"date", "x-request-id"}


@dataclass(frozen=True, slots=True)
class Route:
    """A path as it is declared, but for types of its parameters, with the methods it answers."""

    path: str
    methods: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a client sees, but for what is of the moment."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def routes_of(app: FastAPI) -> list[Route]:
    """Those of the application's table, one a path."""
    found: dict[str, set[str]] = {}
    for entry in app.routes:
        included = getattr(entry, "effective_route_contexts", None)
        for one in included() if included else [entry]:
            found.setdefault(_CONVERTER.sub("}", one.path), set()).update(one.methods or ())
    assert len(found) > 60, "the table of routes is read in another way by now"
    return [Route(path, frozenset(methods)) for path, methods in found.items()]


def addresses(route: Route, known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The path with each of the known values of its parameters.

    `known` names parameters, or `path parameter` where one means something else elsewhere.
    """
    names = _PARAMETER.findall(route.path)
    for name in names:
        assert f"{route.path} {name}" in known or name in known, (
            f"{route.path}: say in this test which values {{{name}}} takes"
        )
    values = [known.get(f"{route.path} {name}", known.get(name, ())) for name in names]
    for chosen in itertools.product(*values):
        told = dict(zip(names, chosen, strict=True))
        yield _PARAMETER.sub(lambda found, told=told: told[found[1]], route.path)


def asked(
    http: httpx.Client, method: str, address: str, headers: Mapping[str, str], body: object = None
) -> Answer:
    """The answer; of a stream of events, what comes before a pause."""
    given = {"X-Request-ID": "walk", **headers}
    if address.startswith("/events") and method == "GET":
        pause = httpx.Timeout(60, read=_PAUSE_S)
        with http.stream(method, address, headers=given, timeout=pause) as answer:
            return _answer(answer, b"".join(_before_a_pause(answer)))
    answer = http.request(method, address, headers=given, json=body)
    return _answer(answer, answer.content)


def _before_a_pause(answer: httpx.Response) -> Iterator[bytes]:
    with suppress(httpx.ReadTimeout):
        yield from answer.iter_bytes()


def _answer(answer: httpx.Response, body: bytes) -> Answer:
    """An archive of files tells when it was made: what they hold counts."""
    if body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(body)) as files:
            body = b"".join(name.encode() + files.read(name) for name in files.namelist())
        return Answer(answer.status_code, (), body)
    told = {k.lower(): v for k, v in answer.headers.items() if k.lower() not in _OF_THE_MOMENT}
    return Answer(answer.status_code, tuple(sorted(told.items())), body)
