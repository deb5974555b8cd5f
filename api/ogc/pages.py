"""HTML pages, each made of the same document that JSON clients get."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import QueryParams

from api.ogc.negotiation import Negotiation

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    template: str, document: dict[str, Any], negotiation: Negotiation, given: QueryParams
) -> str:
    other = "en" if negotiation.language == "vi" else "vi"
    switch = str(QueryParams({**given, "lang": other}))
    as_json = str(QueryParams({**given, "f": "json"}))
    return _PAGES.get_template(template).render(
        document=document,
        negotiation=negotiation,
        vi=negotiation.language == "vi",
        other=other,
        switch_url=f"{negotiation.url}?{switch}",
        json_url=f"{negotiation.url}?{as_json}",
    )
