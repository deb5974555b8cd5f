"""Bodies of requests: only fields that are named, only text that PostgreSQL can keep."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from gis.text import composed

_UNKEPT = re.compile("[\0\ud800-\udfff]")  # NUL, and halves of characters


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _composed(cls, document: Any) -> Any:
        return composed(document)

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        for words in _texts(value):
            if fault := _UNKEPT.search(words):
                raise ValueError(f"a text holds the character U+{ord(fault[0]):04X}: leave it out")
        return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value:
            yield from _texts(one)
        if isinstance(value, dict):
            yield from _texts(list(value.values()))
