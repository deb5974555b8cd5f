"""Advice of questions about a file, in the words of the door that asks.

Questions name the options of the command line; a request has parameters, or members of its body,
of the same names.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from gis.errors import BadInput

_OPTION = re.compile(r"--([a-z][a-z-]*)( (?=[^-\s/]))?")  # a value follows, or another word
_FLAGS = ("dry_run", "yes")


def as_parameters(text: str) -> str:
    """The text with `assume_crs=EPSG:9208` where it says `--assume-crs EPSG:9208`."""
    return _OPTION.sub(_as_parameter, text)


def _as_parameter(option: re.Match[str]) -> str:
    name = option[1].replace("-", "_")
    if name in _FLAGS:
        return f"{name}=true{option[2] or ''}"
    return f"{name}=" if option[2] else name


@contextmanager
def advising_parameters() -> Iterator[None]:
    """Errors about an input that are raised inside advise parameters instead of options."""
    try:
        yield
    except BadInput as error:
        error.args = (as_parameters(str(error)),)
        raise
