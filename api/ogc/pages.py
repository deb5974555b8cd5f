"""HTML pages, each made of the same document that JSON clients get."""

from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import QueryParams

from api.ogc.negotiation import Negotiation
from gis.clock import HERE
from gis.notify.messages import ACTS, SEVERITIES

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _local(moment: str) -> str:
    """A moment in ISO 8601 by the clock of the country."""
    return datetime.fromisoformat(moment).astimezone(HERE).strftime("%H:%M %d/%m/%Y")


_PAGES.filters["local"] = _local
_PAGES.globals |= {"severities": SEVERITIES, "acts": ACTS}


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
