"""The processes, by name: the one registry of them."""

from typing import Any, Final

from layers.processes.operations.buffer import Buffer
from layers.processes.operations.change import Change
from layers.processes.operations.crosswalk import Crosswalk
from layers.processes.operations.dissolve import Dissolve
from layers.processes.operations.echo import Echo
from layers.processes.operations.hotspots import HotspotMap
from layers.processes.operations.locate import Locate
from layers.processes.operations.overlay import Overlay
from layers.processes.operations.people import People
from layers.processes.operations.rain import Rain
from layers.processes.operations.reach import Reach
from layers.processes.operations.risk import Risk
from layers.processes.operations.scan import Scan
from layers.processes.operations.select import SelectRows
from layers.processes.operations.suitability import Suitability
from layers.processes.operations.summarise import Summarise
from layers.processes.operations.terrain import Terrain
from layers.processes.operations.zonal import Zonal
from layers.processes.process import Process

_ALL: Final[tuple[Process[Any], ...]] = (
    SelectRows(),
    Summarise(),
    People(),
    Buffer(),
    Dissolve(),
    Overlay(),
    Change(),
    Crosswalk(),
    Reach(),
    Locate(),
    Suitability(),
    Zonal(),
    Terrain(),
    Rain(),
    Risk(),
    HotspotMap(),
    Scan(),
    Echo(),
)
PROCESSES: Final[dict[str, Process[Any]]] = {process.name: process for process in _ALL}
