"""Text or JSON → the JSON form of CQL2, as nested dicts, lists and scalars."""

from typing import Any, Literal

import orjson

from gis.errors import BadFilter
from gis.text import composed
from layers.cql2.text import json_of

Language = Literal["cql2-text", "cql2-json"]

LONGEST_TEXT = 16_000


def parse(text: str, language: Language = "cql2-text") -> Any:
    """The filter with its texts in NFC.

    Raises BadFilter where the text is not CQL2, with the place of the fault.
    """
    if len(text) > LONGEST_TEXT:
        raise BadFilter(
            f"the filter is longer than {LONGEST_TEXT} characters, it has {len(text)}: ask in parts"
        )
    return _from_json(text) if language == "cql2-json" else json_of(composed(text))


def _from_json(text: str) -> Any:
    try:
        return composed(orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise BadFilter(f"the filter is not JSON: {error.msg} at character {error.pos}") from None
