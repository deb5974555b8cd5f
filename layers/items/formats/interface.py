"""The interface of an export format: a name, the words for it, and a function that writes it."""

from collections.abc import Callable
from dataclasses import dataclass

from layers.items.formats.rows import ExportRows
from layers.items.spool import Spool


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A kind of file in which all items that a request selects can be had.

    `write` puts the whole file into the spool, batch by batch, and raises what the spool raises,
    Unavailable where a statement takes too long, and BadFilter for a value out of range. The first
    paragraph of its docstring describes the format in docs/reference/export-formats.md.
    """

    name: str  # the value of the parameter f
    media_type: str
    suffix: str  # of the file, with its dot
    label: str  # a proper name, the same in Vietnamese and English
    write: Callable[[ExportRows, Spool], None]
