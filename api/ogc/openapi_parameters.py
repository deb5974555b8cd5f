"""A query parameter as the standards of OGC API define theirs."""

from typing import Any


def query_parameter(name: str, words: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Lists are separated by commas (Features core, 7.15.2; Part 2, 6.2; Tiles core, 10).

    Written out for every one: clients are made from the definition, and without it a list is a
    parameter that is given many times.
    """
    return {
        "name": name,
        "in": "query",
        "description": words,
        "required": False,
        "style": "form",
        "explode": False,
        "schema": schema,
    }
