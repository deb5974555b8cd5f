"""The processes, by name: the one registry of them."""

from typing import Any, Final

from layers.processes.operations.buffer import Buffer
from layers.processes.operations.dissolve import Dissolve
from layers.processes.operations.echo import Echo
from layers.processes.operations.overlay import Overlay
from layers.processes.operations.select import SelectRows
from layers.processes.operations.summarise import Summarise
from layers.processes.process import Process

_ALL: Final[tuple[Process[Any], ...]] = (
    SelectRows(),
    Summarise(),
    Buffer(),
    Dissolve(),
    Overlay(),
    Echo(),
)
PROCESSES: Final[dict[str, Process[Any]]] = {process.name: process for process in _ALL}
