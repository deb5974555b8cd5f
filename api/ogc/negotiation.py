"""Content negotiation: format and language of an answer, and the URLs that its links start with."""

from collections.abc import Collection
from dataclasses import dataclass

from fastapi import Request

from gis.errors import BadInput
from gis.settings import Settings
from layers.items.formats import FORMATS

LANGUAGES = ("vi", "en")
_MEDIA = {
    "text/html": "html",
    "application/json": "json",
    "application/geo+json": "json",
    "application/schema+json": "json",
    "application/x-binary": "binary",
}


@dataclass(frozen=True, slots=True)
class Negotiation:
    """The format and language of an answer, with the URLs for its links."""

    format: str
    language: str
    base: str  # the URL of the landing page, without a final slash
    url: str  # of this request, as the client sees it, without the query
    root: str  # the URL of the service, without a final slash


def negotiate(request: Request, formats: Collection[str] = ("json", "html")) -> Negotiation:
    """Raises BadInput for a format or a language that is not offered."""
    request.state.negotiated = True  # so that the answer says in Vary what it depends on
    settings: Settings = request.app.state.settings
    root = settings.public_url or str(request.base_url).rstrip("/")
    return Negotiation(
        format=_format(request, formats),
        language=_language(request),
        base=f"{root}/ogc",
        url=f"{root}{request.url.path}",
        root=root,
    )


def only_known(request: Request, known: Collection[str] = ()) -> None:
    """Raises BadInput for a parameter that is unknown or given twice (Features Part 1, 7.4)."""
    given = request.query_params
    allowed = {"f", "lang", *known}
    unknown = [name for name in given if name not in allowed]
    if unknown:
        names = ", ".join(sorted(allowed))
        raise BadInput(f"there is no parameter {unknown[0]!r} here: there are {names}")
    twice = [name for name in given if len(given.getlist(name)) > 1]
    if twice:
        raise BadInput(f"the parameter {twice[0]!r} is given twice: give it once")


def _format(request: Request, formats: Collection[str]) -> str:
    given = request.query_params.get("f")
    if given is not None:
        if given not in formats:
            raise BadInput(f"f={given!r} is not offered here: use one of {', '.join(formats)}")
        return given
    return next((f for f in _accepted(request) if f in formats), "json")


def _accepted(request: Request) -> list[str]:
    names = _MEDIA | {each.media_type: each.name for each in FORMATS.values()}
    ranges = [part.split(";") for part in request.headers.get("accept", "").split(",")]
    weighed = sorted(ranges, key=lambda parts: -_quality(parts[1:]))  # stable: first named wins
    return [names[parts[0].strip().lower()] for parts in weighed if parts[0].strip() in names]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _language(request: Request) -> str:
    given = request.query_params.get("lang")
    if given is not None:
        if given not in LANGUAGES:
            raise BadInput(f"lang={given!r} is not offered: use {' or '.join(LANGUAGES)}")
        return given
    for part in request.headers.get("accept-language", "").split(","):
        code = part.split(";")[0].strip()[:2].lower()
        if code in LANGUAGES:
            return code
    return LANGUAGES[0]
